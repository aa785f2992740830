"""The model's zip: the folder my_ML_model with metadata and stages inside (2.6)."""

import hashlib
import shutil
import zipfile
from pathlib import Path

from fraudstream.errors import ModelError

FOLDER = "my_ML_model"
REMEDY = f"Zip the folder {FOLDER} that PipelineModel.save wrote."


def pack(folder: Path, target: Path) -> None:
    """Zips a saved PipelineModel as FOLDER into ``target``, which appears complete or not at all."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(file, Path(FOLDER) / file.relative_to(folder))
    unfinished.replace(target)


def sha256(path: Path) -> str:
    """Which zip it is, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check(path: Path) -> Path:
    """``path``, after a look at the zip from outside; nothing is unpacked.

    Raises ModelError when it is missing, no zip, or has no my_ML_model/metadata and my_ML_model/stages.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such model. Train one (python -m fraudstream train) or set FRAUDSTREAM_MODEL.")
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path}: not a zip file. {REMEDY}")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    for part in ("metadata", "stages"):
        if not any(name.startswith(f"{FOLDER}/{part}/") for name in names):
            raise ModelError(f"{path}: no {FOLDER}/{part} in it. {REMEDY}")
    return path


def fresh_folder(folder: Path) -> Path:
    """``folder``, new and empty: what an older model left there would mix with the one that is unpacked now."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
