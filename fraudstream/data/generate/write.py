"""Write tables as CSV files: all of them or none."""

import hashlib
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from fraudstream.data.generate.manifest import Manifest, hashes

CHUNK_ROWS = 20_000


def write_all(data_dir: Path, files: dict[str, pd.DataFrame], made: Manifest, progress: bool) -> None:
    """Write every table under a temporary name, and rename them once all are complete.

    made: scale and seed, to which hashes and rows are added. Existing files of the shop in the folder are replaced.
    """
    partial = {name: data_dir / f".{name}.partial" for name in files}
    try:
        for name, frame in files.items():
            made.files[name] = _write(partial[name], name, frame, progress)
            made.rows[name] = len(frame)
        made.replaced.update(hashes(data_dir))
        made.save(data_dir)
        for name, path in partial.items():
            path.replace(data_dir / name)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)
    made.replaced.clear()
    made.save(data_dir)


def _write(path: Path, name: str, frame: pd.DataFrame, progress: bool) -> str:
    """Write one table and return its sha256. UTF-8, ``\\n``, quotes only where needed.

    progress: a bar on a terminal, otherwise a line.
    """
    digest = hashlib.sha256()
    bar = tqdm(total=len(frame), desc=f"{name:<26}", unit=" rows", disable=None if progress else True)
    with path.open("wb") as file, bar:
        for start in range(0, len(frame), CHUNK_ROWS):
            chunk = frame.iloc[start : start + CHUNK_ROWS]
            octets = chunk.to_csv(index=False, header=start == 0, lineterminator="\n").encode()
            digest.update(octets)
            file.write(octets)
            bar.update(len(chunk))
    if progress and bar.disable:
        print(f"{name:<26} {len(frame):>9,} rows", flush=True)
    return digest.hexdigest()
