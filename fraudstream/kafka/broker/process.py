"""The broker's process: detached from whoever started it, found again by any process of the machine.

The broker inherits an open file that is locked (``running.lock``). The operating system ends that lock with the
process, however it ends, so neither a stale process id nor a reused one can mislead. This matters: a second Kafka on
the same data damages the first one's metadata before it notices that the folder is in use.
"""

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from fraudstream.errors import BrokerError

# the inner shell writes its own id and becomes the broker; the outer one ends at once, so that the broker is
# nobody's child and lives on when a notebook's kernel ends
DETACHED = """sh -c 'echo $$ >broker.pid && exec "$@"' sh "$@" </dev/null >>console.log 2>&1 &"""

DYING_S = 5  # a killed process is gone by name a moment before its last thread lets go of its files


def is_running(folder: Path) -> bool:
    """Whether the broker of this folder is alive."""
    if not (folder / "running.lock").exists():
        return False
    with _open(folder) as lock:
        return not _try_lock(lock, fcntl.LOCK_SH)  # shared: two who look at once do not take each other for the broker


@contextmanager
def reserved(folder: Path) -> Iterator[int]:
    """The folder's lock as an open file to hand to the broker; it is free again when no process holds it."""
    with _open(folder) as lock:
        deadline = time.monotonic() + 2  # somebody may be looking just now
        while not _try_lock(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise BrokerError(f"{folder}: a broker runs there already.")
            time.sleep(0.01)
        yield lock


def launch(folder: Path, command: list[str], lock: int) -> None:
    """Starts command in folder, detached; its outputs go to console.log, its id to broker.pid."""
    (folder / "broker.pid").unlink(missing_ok=True)
    detached = ["sh", "-c", DETACHED, "sh", *command]
    subprocess.run(detached, cwd=folder, pass_fds=[lock], start_new_session=True, check=True)


def find(folder: Path) -> psutil.Process | None:
    """The running broker of this folder, None if none runs.

    Raises BrokerError where one runs but is out of reach, as from inside and outside of a container.
    """
    if not is_running(folder):
        return None
    path = folder / "broker.pid"
    pid = path.read_text().strip() if path.exists() else ""
    try:
        process = psutil.Process(int(pid))
        if process.cwd() == str(folder):
            return process
    except psutil.NoSuchProcess:
        if wait_for_end(folder, DYING_S):
            return None
    except (ValueError, psutil.AccessDenied) as error:
        raise BrokerError(_out_of_reach(folder, pid)) from error
    raise BrokerError(_out_of_reach(folder, pid))


def _out_of_reach(folder: Path, pid: str) -> str:
    return (
        f"{folder}: a broker runs on this folder, but process {pid or 'unknown'} is not it as seen from "
        "here. Stop it where it was started (in the container, or as the other user)."
    )


def end(process: psutil.Process, folder: Path, patience_s: float = 20) -> None:
    """Ends just this process: asks it to stop and, after patience_s seconds, kills it."""
    with suppress(psutil.NoSuchProcess):  # it may end by itself just now
        process.terminate()
        process.resume()  # a paused process would not hear it
    if not wait_for_end(folder, patience_s):
        process.kill()
        if not wait_for_end(folder, 10):
            raise BrokerError(f"Process {process.pid} (Kafka in {folder}) does not end, even when killed.")


def wait_for_end(folder: Path, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while is_running(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def _open(folder: Path) -> Iterator[int]:
    lock = os.open(folder / "running.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield lock
    finally:
        os.close(lock)


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
