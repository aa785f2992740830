"""`make clean`: removes results, generated data and the trained model. The user's own files stay."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from fraudstream.data.generate import manifest
from fraudstream.kafka import broker
from fraudstream.model import sha256
from fraudstream.model.saved import METRICS
from fraudstream.model.train.report import EVALUATION_FILES
from fraudstream.run.headless import NOTEBOOKS
from fraudstream.settings import PROJECT, load_settings

BATCHES = ("batch_id=*", "_query.json")
# patterns of files that a run, the lab or the hand-in writes to its output folder; anything else is the user's
MADE = (
    *(f"{folder}/{name}" for folder in ("predictions", "quarantine") for name in BATCHES),
    *(f".{folder}.unfinished" for folder in ("predictions", "quarantine")),
    *(f"notebooks/{path.name}" for path in NOTEBOOKS.values()),
    *("logs/*.log", "logs/*.log.[0-9]*", "checkpoints", "broker", "model", "lab"),
    *(
        "predictions.query.json",
        "reports.sqlite",
        "reports.sqlite-*",
        "summary.json",
        "successful_transactions.png",
        "handin.zip",
        "*.lock",
    ),
)
FOLDERS = ("predictions", "quarantine", "notebooks", "logs", "")
EARLIER = "earlier"
# of `make bench` in earlier versions, an output folder within the other
BENCH = "bench"


def generated_data(data_dir: Path) -> Iterator[Path]:
    """The CSV files that are still as the generator wrote them, and the generator's own files."""
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


def clean_output(output: Path, agreed: Callable[[Path], bool]) -> list[Path]:
    """Removes what the project made in the folder ``output``; returns what is left of it.

    Results of earlier runs, in ``earlier``, are removed only where ``agreed`` says so of that folder.
    """
    if not output.is_dir():
        return []
    clean_output(output / BENCH, agreed)
    for path in [path for pattern in MADE for path in output.glob(pattern)]:
        _remove(path)
    earlier = output / EARLIER
    if earlier.is_dir() and agreed(earlier):
        _remove(earlier)
    for folder in (output / name for name in FOLDERS):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return sorted(output.iterdir()) if output.is_dir() else []


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _agreed(earlier: Path) -> bool:
    """The user's answer; no, where nobody can be asked."""
    runs = len(list(earlier.iterdir()))
    question = f"Remove the results of {runs} earlier runs in {earlier.relative_to(PROJECT)}, too? [y/N] "
    return sys.stdin.isatty() and input(question).strip().lower() in ("y", "yes")


def main() -> None:
    """Stops the broker of output/, then removes what was made in the project's own folders, and prints it."""
    settings = load_settings(
        data_dir=PROJECT / "data", model=PROJECT / "models" / "my_ML_model.zip", output_dir=PROJECT / "output"
    )
    broker.stop(settings)
    for path in [*generated_data(settings.data_dir), *trained_model(settings.model)]:
        path.unlink(missing_ok=True)
        print(f"removed {path.relative_to(PROJECT)}")
    if settings.output_dir.exists():
        kept = clean_output(settings.output_dir, _agreed)
        names = ", ".join(str(path.relative_to(PROJECT)) for path in kept)
        print(f"removed the results in {settings.output_dir.relative_to(PROJECT)}{names and f'; kept {names}'}")


if __name__ == "__main__":
    main()
