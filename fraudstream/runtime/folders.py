"""Folders that cannot be written, in one line: the system's reason and the remedy."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fraudstream.errors import OutputError

REASONS = {
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
    errno.EROFS: "it is read-only",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EEXIST: "a file of that name is in the way",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your quota of the disk is used up",
}
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turns the system's errors of writing to ``folder`` into OutputError, with path, reason and remedy."""
    try:
        yield
    except OSError as error:
        if error.errno not in REASONS:
            raise
        remedy = "Free some space" if error.errno in FULL else "Fix its permissions"
        raise OutputError(
            f"{error.filename or folder} cannot be written: {REASONS[error.errno]}. {remedy}, "
            "or set FRAUDSTREAM_OUTPUT_DIR to another folder."
        ) from error


def make(folder: Path) -> Path:
    """Makes the folder and its parents unless it is there, and returns it. Raises OutputError."""
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder
