"""The zip from outside: my_ML_model with metadata and stages inside, and nothing that could do harm (2.6)."""

import hashlib
import re
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fraudstream.errors import ModelError
from fraudstream.model.metadata import check_classes, check_version, stages

FOLDER = "my_ML_model"
PARTS = ("metadata", "stages")
REMEDY = f"Zip the folder {FOLDER} that PipelineModel.save wrote."

# far above any forest or boosting of part A, far below what fills a disk
MAX_UNPACKED_MB = 512
MAX_ENTRIES = 20_000

_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_DRIVE = re.compile(r"[A-Za-z]:")


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


def vet(path: Path, archive: zipfile.ZipFile, max_unpacked_mb: float = MAX_UNPACKED_MB) -> str:
    """Reads the zip through and returns where metadata and stages are in it; nothing is unpacked, no class is imported.

    Raises ModelError when it is damaged, encrypted, bigger unpacked than the limit, has no metadata and stages, has a
    name that leads out of its folder, a link, a class that is not Spark ML's, or was saved by a newer Spark than this
    one.
    """
    _check_entries(path, archive.infolist())
    _check_contents(path, archive, max_unpacked_mb)
    root = model_root(path, archive)
    check_classes(path, archive, root)
    check_version(path, archive, root)
    stages(path, archive, root)  # each is there
    return root


def opened(path: Path) -> zipfile.ZipFile:
    """The zip, open for reading. Raises ModelError when it is missing or no zip."""
    if not path.is_file():
        raise ModelError(f"{path}: no such model. Train one (python -m fraudstream train) or set FRAUDSTREAM_MODEL.")
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ModelError(f"{path}: not a zip file. {REMEDY}") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}).") from error


def model_root(path: Path, archive: zipfile.ZipFile) -> str:
    """Where metadata and stages lie in the zip: ``my_ML_model/``, or the empty string for a zip of the folder's inside.

    Raises ModelError, with the names found, when they lie nowhere or elsewhere.
    """
    names = [info.filename for info in archive.infolist()]
    for root in (f"{FOLDER}/", ""):
        if all(any(name.startswith(f"{root}{part}/") for name in names) for part in PARTS):
            return root
    tops = sorted({name.split("/")[0] + ("/" if "/" in name else "") for name in names})
    found = ", ".join(tops[:10]) or "nothing"
    raise ModelError(f"{path}: no {FOLDER}/{PARTS[0]} and {FOLDER}/{PARTS[1]} in it (found: {found}). {REMEDY}")


def fresh_folder(folder: Path) -> Path:
    """Empties ``folder``: what an older model left there would mix with the one that is unpacked now."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Raises ModelError for what no saved model holds: too many entries, or one of them not to be trusted."""
    if len(entries) > MAX_ENTRIES:
        raise ModelError(f"{path}: {len(entries):,} entries; a model has at most {MAX_ENTRIES:,}. {REMEDY}")
    for entry in entries:
        reason = next(_reasons(entry), None)
        if reason:
            raise ModelError(f"{path}: the entry {entry.orig_filename!r} {reason}. {REMEDY}")
    # as a file system sees them that takes no notice of case
    names = Counter(entry.filename.rstrip("/").casefold() for entry in entries)
    folders = {parent for name in names for parent in _parents(name)}
    for entry in entries:
        name = entry.filename.rstrip("/").casefold()
        if names[name] > 1 or (name in folders and not entry.is_dir()):
            raise ModelError(f"{path}: the entry {entry.filename!r} stands in it twice. {REMEDY}")


def _reasons(entry: zipfile.ZipInfo) -> Iterator[str]:
    """Why an entry is refused; nothing for a plain file or folder inside the zip's own folder."""
    name, kind = entry.orig_filename, stat.S_IFMT(entry.external_attr >> 16)
    if name.startswith("/") or _DRIVE.match(name):
        yield "has an absolute name"
    if ".." in re.split(r"[/\\]", name):
        yield "leads out of its folder"
    if "\\" in name or not name.isprintable():
        yield "has a backslash or a control character in its name"
    if kind not in (0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG):
        yield "is a link or a special file"
    if entry.flag_bits & _ENCRYPTED:
        yield "is encrypted"


def _parents(name: str) -> Iterator[str]:
    parts = name.split("/")
    return ("/".join(parts[:depth]) for depth in range(1, len(parts)))


def _check_contents(path: Path, archive: zipfile.ZipFile, max_unpacked_mb: float) -> None:
    """Unpacks every entry into nothing: sizes in a zip's directory may lie, and a damaged entry shows only here."""
    left = int(max_unpacked_mb * 1e6)
    for entry in archive.infolist():
        try:
            with archive.open(entry) as content:
                while chunk := content.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise ModelError(f"{path}: bigger than {max_unpacked_mb:g} MB unpacked. {REMEDY}")
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise ModelError(f"{path}: the entry {entry.filename!r} cannot be read ({error}). {REMEDY}") from error
