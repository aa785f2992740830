"""The broker's process: detached from the process that starts it, and discoverable from any process on this machine.

The broker inherits an open, locked file (``running.lock``). The operating system releases that lock when the process
ends, however it ends, so neither a stale process id nor a reused one can mislead. This matters because a second
Kafka on the same data damages the metadata of the first before it notices that the folder is in use.
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
from fraudstream.runtime.locks import is_held, try_flock

# the inner shell writes its own id and becomes the broker; the outer one ends at once, so the broker has no parent
# and survives the end of a notebook's kernel
DETACHED = """sh -c 'echo $$ >broker.pid && exec "$@"' sh "$@" </dev/null >>console.log 2>&1 &"""

LOCK = "running.lock"
DYING_S = 5  # a killed process loses its id shortly before its last thread closes its files


def is_running(folder: Path) -> bool:
    """Whether the broker of this folder is alive."""
    return is_held(folder / LOCK)


def was_killed(folder: Path) -> bool:
    """Whether the folder's broker ended without being stopped: its process id is still on file, its process is gone."""
    return (folder / "broker.pid").exists() and not is_running(folder)


@contextmanager
def reserved(folder: Path) -> Iterator[int]:
    """The folder's lock as an open file to pass to the broker; it is free again when no process holds it."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + 2  # another process may be checking the lock
        while not try_flock(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise BrokerError(f"{folder}: a broker is already running there.")
            time.sleep(0.01)
        yield lock
    finally:
        os.close(lock)


def launch(folder: Path, command: list[str], lock: int) -> None:
    """Starts command in folder, detached. Its output goes to console.log, its process id to broker.pid."""
    (folder / "broker.pid").unlink(missing_ok=True)
    detached = ["sh", "-c", DETACHED, "sh", *command]
    subprocess.run(detached, cwd=folder, pass_fds=[lock], start_new_session=True, check=True)


def find(folder: Path) -> psutil.Process | None:
    """The running broker of this folder; None if none is running.

    Raises BrokerError if one is running but is not visible from here, for example across the border of a container.
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
        f"{folder}: a broker is running, but its process {pid or '(unknown)'} is not visible from here. "
        "Stop it where it was started (in the container, or as the other user)."
    )


def end(process: psutil.Process, folder: Path, stop_timeout_s: float = 20) -> None:
    """Ends exactly this process: terminates it, and kills it after ``stop_timeout_s`` seconds."""
    with suppress(psutil.NoSuchProcess):  # it may have ended by itself
        process.terminate()
        process.resume()  # a paused process would not handle it
    if not wait_for_end(folder, stop_timeout_s):
        process.kill()
        if not wait_for_end(folder, 10):
            raise BrokerError(f"Process {process.pid} (Kafka in {folder}) did not end within 10 s, even when killed.")


def wait_for_end(folder: Path, limit_s: float) -> bool:
    """Whether the folder's broker has ended within ``limit_s`` seconds."""
    deadline = time.monotonic() + limit_s
    while is_running(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
