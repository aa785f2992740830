"""A model's zip file: my_ML_model with metadata and stages, checked for unsafe entries (2.6)."""

import hashlib
import re
import shlex
import shutil
import stat
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from fraudstream.errors import ModelError, command
from fraudstream.model.metadata import check_classes, check_version, refuse_other_kinds, stages

FOLDER = "my_ML_model"
PARTS = ("metadata", "stages")
REMEDY = f"Zip the folder {FOLDER} that PipelineModel.save wrote."

# far larger than any model of part A, far smaller than a disk
MAX_UNPACKED_MB = 512
MAX_ENTRIES = 20_000

_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_DRIVE = re.compile(r"[A-Za-z]:")


def pack(folder: Path, target: Path, check: Callable[[Path], object] = lambda path: None) -> None:
    """Zips a saved PipelineModel as FOLDER into ``target``, which is replaced atomically.

    The new zip is read back, and handed to ``check``, before it replaces an older one. Raises ModelError when Spark
    left no complete model in ``folder``; ``target`` is then as it was.
    """
    unfinished = target.with_name(f".{target.name}.unfinished")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(file, Path(FOLDER) / file.relative_to(folder))
        with opened(unfinished) as archive:
            vet(target, archive)
        check(unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The SHA-256 of the file at ``path``, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def vet(path: Path, archive: zipfile.ZipFile, max_unpacked_mb: float = MAX_UNPACKED_MB) -> str:
    """Reads the whole zip and returns the folder of metadata and stages in it; unpacks nothing, imports no class.

    Raises ModelError when the zip is damaged, encrypted, larger than the limit when unpacked, has no metadata and
    stages, has a name that leads out of its folder, a link, a class that is not part of Spark ML, or was saved by a
    newer Spark than the installed one.
    """
    _check_entries(path, archive.infolist())
    _check_contents(path, archive, max_unpacked_mb)
    root = model_root(path, archive)
    check_classes(path, archive, root)
    check_version(path, archive, root)
    stages(path, archive, root)  # raises if one is missing
    return root


def opened(path: Path) -> zipfile.ZipFile:
    """The zip, open for reading. Raises ModelError if it is missing or not a zip."""
    if path.is_dir():
        raise ModelError(f"{path}: a folder, not a zip. {_folder_remedy(path)}")
    if not path.is_file():
        raise ModelError(f"{path}: no such model. Train one ({command('train')}) or set FRAUDSTREAM_MODEL.")
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ModelError(f"{path}: not a zip file. {REMEDY}") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}).") from error


def _folder_remedy(path: Path) -> str:
    """How to make a zip of the folder ``path``: the shell command where it is a saved model."""
    saved = path if (path / PARTS[0]).is_dir() else path / FOLDER
    if not all((saved / part).is_dir() for part in PARTS):
        return f"{REMEDY} Then set FRAUDSTREAM_MODEL to that zip."
    zipped = shlex.quote(f"{saved}.zip")
    make = f"cd {shlex.quote(str(saved))} && {shlex.quote(sys.executable)} -m zipfile -c {zipped} {' '.join(PARTS)}"
    return f"Zip it ({make}), then set FRAUDSTREAM_MODEL={zipped}."


def model_root(path: Path, archive: zipfile.ZipFile) -> str:
    """The folder of metadata and stages in the zip: ``my_ML_model/``, or empty for a zip of the folder's content.

    Raises ModelError, with the names found, when they are missing or elsewhere.
    """
    names = [info.filename for info in archive.infolist()]
    for root in (f"{FOLDER}/", ""):
        if all(any(name.startswith(f"{root}{part}/") for name in names) for part in PARTS):
            return root
    refuse_other_kinds(path, archive)
    tops = sorted({name.split("/")[0] + ("/" if "/" in name else "") for name in names})
    found = ", ".join(tops[:10]) or "nothing"
    raise ModelError(f"{path}: no {FOLDER}/{PARTS[0]} and {FOLDER}/{PARTS[1]} in it (found: {found}). {REMEDY}")


def fresh_folder(folder: Path) -> Path:
    """Empties ``folder``, because files of an older model would mix with those of the new one."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Raises ModelError for too many entries, or for one that no saved model has."""
    if len(entries) > MAX_ENTRIES:
        raise ModelError(f"{path}: {len(entries):,} entries; a model has at most {MAX_ENTRIES:,}. {REMEDY}")
    for entry in entries:
        reason = next(_reasons(entry), None)
        if reason:
            raise ModelError(f"{path}: the entry {entry.orig_filename!r} {reason}. {REMEDY}")
    # as a case-insensitive file system sees them
    names = Counter(entry.filename.rstrip("/").casefold() for entry in entries)
    folders = {parent for name in names for parent in _parents(name)}
    for entry in entries:
        name = entry.filename.rstrip("/").casefold()
        if names[name] > 1 or (name in folders and not entry.is_dir()):
            raise ModelError(f"{path}: the entry {entry.filename!r} is in it twice. {REMEDY}")


def _reasons(entry: zipfile.ZipInfo) -> Iterator[str]:
    """The reasons to refuse an entry; none for a plain file or folder inside the zip's own folder."""
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
    """Reads every entry and stores none: sizes in a zip's directory can be false, and only reading finds damage."""
    left = int(max_unpacked_mb * 1e6)
    for entry in archive.infolist():
        try:
            with archive.open(entry) as content:
                while chunk := content.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise ModelError(f"{path}: larger than {max_unpacked_mb:g} MB unpacked. {REMEDY}")
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise ModelError(f"{path}: the entry {entry.filename!r} cannot be read ({error}). {REMEDY}") from error
