"""Generate the shop's data: every CSV file of the assignment, the same bytes for the same scale and seed."""

from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from fraudstream.data.generate.drift import DRIFTS
from fraudstream.data.generate.manifest import Manifest, check_nothing_in_the_way, is_complete, load
from fraudstream.data.generate.shop import build
from fraudstream.data.generate.write import write_all
from fraudstream.errors import SettingsError
from fraudstream.storage.folders import writing_to

SCALES = (0.01, 20.0)


def generate(
    data_dir: Path, scale: float = 1.0, seed: int = 42, progress: bool = True, drift: str = ""
) -> dict[str, int]:
    """Write all files into data_dir (created if missing) and return file name -> number of rows.

    scale 1: 900,000 past and 100,000 new browsing rows. If exactly these files exist already, nothing is written.
    ``drift``: the feature that drifts in the new period (DRIFTS), or empty.
    Raises SettingsError for an impossible scale, seed or drift, DataError if the folder contains a file that the
    generator did not write, OutputError if it cannot be written; no file is changed in any of these cases.
    """
    if not SCALES[0] <= scale <= SCALES[1]:
        low, high = SCALES
        raise SettingsError(f"--scale {scale:g}: must be from {low:g} to {high:g} (1: 900,000 past browsing rows).")
    if seed < 0:
        raise SettingsError(f"--seed {seed}: must be 0 or more.")
    if drift and drift not in DRIFTS:
        raise SettingsError(f"--drift {drift}: must be one of {', '.join(DRIFTS)}.")
    with writing_to(data_dir, "--data-dir"):
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / ".generate.lock"):
            return _generate(data_dir, float(scale), seed, progress, drift)


def _generate(data_dir: Path, scale: float, seed: int, progress: bool, drift: str) -> dict[str, int]:
    before = load(data_dir)
    check_nothing_in_the_way(data_dir, before)
    if before is not None and before.same_origin(scale, seed, drift) and is_complete(data_dir, before):
        if progress:
            tqdm.write(f"{data_dir} holds the data of scale {scale:g} and seed {seed} already: nothing to do.")
        return before.rows
    made = Manifest(scale, seed, drift=drift)
    write_all(data_dir, build(scale, seed, drift).files, made, progress)
    return made.rows
