"""One holder per output folder and per checkpoint: locks that end with their process, and that name it.

``run`` and ``reset`` have the output folder to themselves. Notebooks share it with each other, but Task 1 and Task 2
have only one holder each: one producer per topic, one query per checkpoint.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import psutil

from fraudstream.errors import OutputError
from fraudstream.runtime import locks
from fraudstream.settings import Settings

EXCLUSIVE = "run.lock"
HOLDERS = "holders"
# these change what the others read: one process each
ONE_EACH = ("Task 1", "Task 2")

# path -> what this process holds: a cell that is run twice takes nothing twice
_held: dict[Path, locks.Lock] = {}


class Held:
    """The locks that ``hold`` took: freed by ``release``, at the end of a ``with`` block, or with the process."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    def release(self) -> None:
        """Gives back the output folder and the checkpoint; a second call changes nothing."""
        for path in self._paths:
            if path in _held:
                _held.pop(path).release(remove=path.stem.endswith(f"-{os.getpid()}"))

    def __enter__(self) -> "Held":
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


def hold(settings: Settings, task: str) -> Held:
    """Marks the output folder as in use by a notebook ("Task 1", "Task 2", "Task 3"), Task 2 its checkpoints, too.

    A second call in the same process changes nothing. Raises OutputError, with the name of the holder, when ``run`` or
    ``reset`` has the folder (unless this is a notebook of that very run), or when another process is Task 1 or Task 2.
    """
    taken = []
    try:
        for path in _paths(settings, task):
            _take(path, task, settings.output_dir)
            taken.append(path)
        alone = settings.output_dir / EXCLUSIVE
        if locks.is_held(alone) and locks.pid(alone) not in {os.getpid(), *_ancestors()}:
            raise _refusal(alone, settings.output_dir)
    except OutputError:
        Held(taken).release()
        raise
    return Held(taken)


@contextmanager
def hold_output_folder(settings: Settings, who: str = "run") -> Iterator[None]:
    """Holds the output folder for ``run`` or ``reset`` alone.

    Raises OutputError, with the name of the holder, when another process uses it, or the checkpoints.
    """
    alone = settings.output_dir / EXCLUSIVE
    _take(alone, who, settings.output_dir)
    try:
        mine = set(_paths(settings, "Task 2")[1:])
        for path in sorted({*(settings.output_dir / HOLDERS).glob("*.lock"), *mine}):
            if locks.is_held(path):
                raise _refusal(path, settings.output_dir)
        yield
    finally:
        _held.pop(alone).release()


def _paths(settings: Settings, task: str) -> list[Path]:
    """The lock files of a task. A checkpoint outside of the output folder has one of its own in the project's cache."""
    name = task.lower().replace(" ", "-")
    own = name if task in ONE_EACH else f"{name}-{os.getpid()}"
    paths = [settings.output_dir / HOLDERS / f"{own}.lock"]
    if task == "Task 2" and settings.storage:
        name = sha256(str(settings.checkpoints).encode()).hexdigest()[:16]
        paths.append(settings.cache / HOLDERS / f"{name}.lock")
    return paths


def _take(path: Path, who: str, folder: Path) -> None:
    if path in _held:
        return
    lock = locks.take(path, who)
    if lock is None:
        raise _refusal(path, folder)
    _held[path] = lock


def _refusal(path: Path, folder: Path) -> OutputError:
    return OutputError(
        f"{folder} is in use by {locks.described(path)}. Wait until that ends, stop it (a notebook: run its last cell "
        "or shut down its kernel), or set FRAUDSTREAM_OUTPUT_DIR to another folder."
    )


def _ancestors() -> list[int]:
    return [process.pid for process in psutil.Process().parents()]
