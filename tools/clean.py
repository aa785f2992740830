"""Removes results, generated data and the trained model: `make clean`. Files that you added or changed stay."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from fraudstream.data.generate import manifest
from fraudstream.kafka import broker
from fraudstream.model.train.evaluate import EVALUATION_FILES, METRICS, sha256
from fraudstream.settings import PROJECT, load_settings


def generated_data(data_dir: Path) -> Iterator[Path]:
    """The CSV files that are still as the generator wrote them, its manifest and its lock."""
    made = manifest.load(data_dir)
    if made is not None:
        present = manifest.hashes(data_dir)
        yield from (data_dir / name for name, digest in present.items() if made.files.get(name) == digest)
        yield from (data_dir / manifest.NAME, data_dir / ".generate.lock")


def trained_model(model_zip: Path) -> Iterator[Path]:
    """The zip, its metrics and its plots, if the metrics are those of this zip."""
    metrics = model_zip.with_name(METRICS)
    if model_zip.is_file() and metrics.is_file() and json.loads(metrics.read_text()).get("sha256") == sha256(model_zip):
        yield model_zip
        yield from (model_zip.with_name(name) for name in EVALUATION_FILES)


def main() -> None:
    """Stops the broker of output/, then removes what was made in the project's own folders and prints each path."""
    settings = load_settings(
        data_dir=PROJECT / "data", model=PROJECT / "models" / "my_ML_model.zip", output_dir=PROJECT / "output"
    )
    broker.stop(settings)
    for path in [*generated_data(settings.data_dir), *trained_model(settings.model)]:
        path.unlink(missing_ok=True)
        print(f"removed {path.relative_to(PROJECT)}")
    if settings.output_dir.exists():
        shutil.rmtree(settings.output_dir)
        print(f"removed {settings.output_dir.relative_to(PROJECT)}")


if __name__ == "__main__":
    main()
