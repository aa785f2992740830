"""Locks on files that end with their process, however it ends, and that say who holds them."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from fraudstream.storage.folders import make, writing_to

LOOKING_S = 0.2  # another process may look at the lock just now, which takes it for a moment


class Lock:
    """A file that this process holds until ``release``, or until the process ends.

    The operating system ends the lock with its process, so neither a stale process id nor a reused one can mislead.
    """

    def __init__(self, path: Path, file: int) -> None:
        self.path, self._file = path, file

    def release(self, remove: bool = False) -> None:
        """Gives the file up, and deletes it if only this process has ever used it; a second call changes nothing."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            if remove:
                self.path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1


def take(path: Path, who: str) -> Lock | None:
    """Takes the lock and writes who has it into the file; None when another process (or this one) has it.

    Raises OutputError when the file cannot be written.
    """
    with writing_to(make(path.parent)):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + LOOKING_S
        while not try_flock(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                os.close(file)
                return None
            time.sleep(0.01)
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps({"who": who, "pid": os.getpid(), "since": time.time()}).encode(), 0)
    return Lock(path, file)


def pid(path: Path) -> int | None:
    """The id of the process that wrote itself into the file last and has not given it up; None without one."""
    return _read(path).get("pid")


def is_held(path: Path) -> bool:
    """Whether a process holds the lock."""
    if not path.exists():
        return False
    with _opened(path) as file:
        return not try_flock(file, fcntl.LOCK_SH)  # shared: two that look at once do not take each other for a holder


def described(path: Path) -> str:
    """Who wrote itself into the file: its name, process and start; "another process" when it has not yet."""
    held = _read(path)
    if not held:
        return "another process"
    since = datetime.fromtimestamp(held["since"])
    return f"{held['who']} (process {held['pid']}, since {since:%Y-%m-%d %H:%M:%S})"


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):  # never taken, given up, or being written just now
        return {}


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


def try_flock(file: int, kind: int) -> bool:
    """Locks the open ``file`` without waiting; False if another holder prevents it. ``kind``: LOCK_EX or LOCK_SH."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
