"""The list of files that the generator wrote: it never replaces any other."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fraudstream.data.csv_files import OTHER_NAMES
from fraudstream.errors import DataError
from fraudstream.schemas import FILES

NAME = ".generated.json"
BLOCK_BYTES = 1 << 20
EDITION = 1  # increased whenever the same scale and seed give different bytes


@dataclass(frozen=True)
class Manifest:
    """The files written (name -> sha256 and number of rows), and the scale and seed they were made from.

    replaced: the hashes of the files before, while they are being replaced (a killed run leaves some of each).
    """

    scale: float
    seed: int
    edition: int = EDITION
    files: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)

    def same_origin(self, scale: float, seed: int) -> bool:
        return (self.scale, self.seed, self.edition) == (scale, seed, EDITION)

    def save(self, data_dir: Path) -> None:
        """Write the manifest into the files' folder, atomically."""
        partial = data_dir / f"{NAME}.partial"
        partial.write_bytes(json.dumps(asdict(self), indent=1).encode() + b"\n")
        partial.replace(data_dir / NAME)


def load(data_dir: Path) -> Manifest | None:
    """The folder's manifest, or None if the generator never wrote there. Raises DataError if it cannot be read."""
    path = data_dir / NAME
    if not path.is_file():
        return None
    try:
        return Manifest(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path}: was changed or damaged ({error}). Move it and the CSV files next to it away, or remove them."
        ) from error


def is_complete(data_dir: Path, manifest: Manifest) -> bool:
    """Whether every file exists and is unchanged."""
    return not manifest.replaced and hashes(data_dir) == manifest.files


def check_nothing_in_the_way(data_dir: Path, manifest: Manifest | None) -> None:
    """Raises DataError with the names of files that the generator did not write, or that were changed since."""
    own = [] if manifest is None else [manifest.files, manifest.replaced]
    present = hashes(data_dir)
    strange = [name for name, digest in present.items() if all(files.get(name) != digest for files in own)]
    strange += [name for name in OTHER_NAMES.values() if (data_dir / name).exists()]
    if strange:
        raise DataError(
            f"{', '.join(strange)} in {data_dir}: not made by fraudstream, or changed since, so not overwritten. "
            "Nothing was written. Move your files away, or choose another folder with --data-dir."
        )


def hashes(data_dir: Path) -> dict[str, str]:
    """File name -> sha256 of the shop's files in the folder."""
    paths = [data_dir / name for name in FILES]
    return {path.name: _sha256(path) for path in paths if path.exists()}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()
