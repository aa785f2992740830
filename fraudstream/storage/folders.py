"""Local folders that cannot be written, in one line: the system's reason and the remedy."""

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fraudstream.errors import OutputError

# what a folder or a disk can cause; any other OSError is a bug, whose traceback should be seen
REASONS = {
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "it is read-only",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EISDIR: "it is a folder",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EEXIST: "a file of that name is in the way",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
}
OUTPUT = "FRAUDSTREAM_OUTPUT_DIR for results"
FULL = (errno.ENOSPC, errno.EDQUOT)


def unwritable(path: object, error: OSError, other: str = OUTPUT) -> str:
    """One line for a file or folder that the system does not let us make or write.

    ``other``: the setting or option that names another folder.
    """
    where = error.filename if isinstance(error.filename, str) and error.filename else path
    reason = REASONS.get(error.errno, error.strerror or str(error))
    remedy = "Free some space" if error.errno in FULL else "Fix its permissions"
    return f"{where} cannot be written: {reason}. {remedy}, or choose another folder ({other})."


@contextmanager
def writing_to(folder: Path, other: str = OUTPUT) -> Iterator[None]:
    """Turns the system's refusals to write to ``folder`` (``REASONS``) into OutputError; ``other`` as in unwritable."""
    try:
        yield
    except OSError as error:
        if error.errno not in REASONS:
            raise
        raise OutputError(unwritable(folder, error, other)) from error


def make(folder: Path) -> Path:
    """Makes the folder and its parents unless it exists, and returns it. Raises OutputError."""
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def writable(folder: Path) -> Path:
    """``folder``, made where it is missing, once a file could be written in it. Raises OutputError."""
    with writing_to(folder):
        make(folder)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    return folder
