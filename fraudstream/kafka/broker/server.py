"""The embedded broker: Apache Kafka from its own jars, one node (KRaft), bound to 127.0.0.1, one per output folder.

Its files are in ``output/broker``: data, server.properties, broker.pid, server.log (Kafka's warnings and errors),
console.log (Java's own output), temporary.lock (the command that stops the broker when it ends).
"""

import base64
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from fraudstream.errors import BrokerError, Note
from fraudstream.kafka import probe
from fraudstream.kafka.broker import config, process
from fraudstream.runtime import locks
from fraudstream.runtime.jars import jars
from fraudstream.runtime.java import java
from fraudstream.settings import Settings
from fraudstream.storage.folders import make, writing_to

LOG4J = Path(__file__).with_name("log4j2.properties")
START_LIMIT_S = 60
PORT_TRIES = 3
# the C1 compiler and the serial collector: half the CPU time at startup, and ample for one batch per second
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
LOGS = ("console.log", "server.log")
TEMPORARY = "temporary.lock"
START_MARK = "---- start"


@dataclass(frozen=True, repr=False)
class Status:
    """State of a folder's broker: memory is resident, in megabytes (10^6 bytes), started in Unix seconds.

    left_by: the command that started it temporarily and was killed before it could stop it, or None.
    """

    folder: Path
    running: bool
    address: str | None = None
    answers: bool = False
    pid: int | None = None
    memory_mb: float | None = None
    started: float | None = None
    left_by: str | None = None

    def __repr__(self) -> str:
        if not self.running:
            return f"Kafka is not running (folder {self.folder})"
        state = "answers" if self.answers else "is running but does not answer"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.started))
        return (
            f"Kafka {state} at {self.address}, process {self.pid} since {since}, {self.memory_mb:.0f} MB, "
            f"folder {self.folder}" + (f", left behind by {self.left_by}" if self.left_by else "")
        )


def start(settings: Settings, note: Note = print) -> str:
    """Starts the broker unless it is running, and returns its address, 127.0.0.1:port, once it answers a request.

    Several processes may call this at once. The broker outlives the process that starts it; after a crash or a reboot
    it has the same messages and, if the port is still free, the same address.
    Raises RuntimeMissingError (no Java, no jars), OutputError (its folder cannot be written), or BrokerError with the
    cause and the name of the log file.
    """
    folder = settings.broker_dir
    if not process.is_running(folder):
        java()  # fail before writing anything if Kafka cannot run
    with writing_to(make(folder)), _one_at_a_time(folder, note):
        if process.is_running(folder):
            address = config.address(folder)
            if address is not None and _wait(folder, address, note):
                return address
            if process.is_running(folder):  # the broker may just have been killed
                raise BrokerError(f"{_status(folder)!r}. Stop it, then start again.")
        class_path = f"{jars('broker', settings.jars_dir, note)[0].parent}/*"
        return _start(folder, class_path, note)


def stop(settings: Settings) -> bool:
    """Stops the broker of this output folder and no other process; False if none was running."""
    folder = settings.broker_dir
    if not folder.is_dir():
        return False
    with _one_at_a_time(folder, note=print):
        running = process.find(folder)
        if running is not None:
            process.end(running, folder)
        (folder / "broker.pid").unlink(missing_ok=True)  # marks it as stopped on purpose, for clients that wait for it
        return running is not None


@contextmanager
def stop_broker_afterwards(settings: Settings, who: str = "a command") -> Iterator[None]:
    """Stops the embedded broker at the end of the block, unless it was already running deliberately.

    A broker left behind by a killed command does not count as deliberate. ``who`` identifies this command to the next
    one in case this one is killed, too.
    """
    folder = settings.broker_dir
    if not settings.embedded_broker or (status(settings).running and not left_by(folder)):
        yield
        return
    mark = locks.take(folder / TEMPORARY, who)
    try:
        yield
    finally:
        stop(settings)
        if mark:
            mark.release()


def left_by(folder: Path) -> str | None:
    """The killed command (with process and start) whose temporary broker is in this folder, or None."""
    mark = folder / TEMPORARY
    return locks.described(mark) if locks.pid(mark) and not locks.is_held(mark) else None


def keep(settings: Settings) -> None:
    """Keeps the broker that a killed command left behind: from now on it is stopped only on request."""
    if left_by(settings.broker_dir):
        (settings.broker_dir / TEMPORARY).unlink()


def status(settings: Settings) -> Status:
    """Whether the broker of this output folder is running, whether it answers, where, and how much memory it uses."""
    folder = settings.broker_dir
    if not folder.is_dir():
        return Status(folder, running=False)
    with _one_at_a_time(folder, note=print):
        return _status(folder)


def _status(folder: Path) -> Status:
    running = process.find(folder)
    if running is None:
        return Status(folder, running=False)
    address = config.address(folder)
    answers = address is not None and probe.cluster_id(address) == config.cluster_id(folder)
    try:
        memory_mb, started = running.memory_info().rss / 1e6, running.create_time()
    except psutil.NoSuchProcess:  # it has just ended
        return Status(folder, running=False)
    return Status(folder, True, address, answers, running.pid, memory_mb, started, left_by(folder))


def _start(folder: Path, class_path: str, note: Note) -> str:
    """Starts Kafka; retries only if another program took the port between our check and Kafka's start."""
    began = time.monotonic()
    note(f"Starting Kafka in {folder} ...")
    taken: frozenset[int] = frozenset()
    for _ in range(PORT_TRIES):
        address = config.write_properties(folder, taken, note)
        _launch(folder, class_path)
        if _wait(folder, address, note):
            note(f"Kafka answers at {address} after {time.monotonic() - began:.1f} s.")
            return address
        cause = _cause(folder)
        if running := process.find(folder):
            process.end(running, folder)
            raise BrokerError(f"Kafka did not answer at {address} within {START_LIMIT_S} s. {cause}")
        if "Address already in use" not in cause:
            break
        taken |= {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", cause)}
    raise BrokerError(f"Kafka ended while it was starting. {cause}")


def _launch(folder: Path, class_path: str) -> None:
    program = [str(java()), *QUICK, f"-Dlog4j2.configurationFile={LOG4J.as_uri()}", "-cp", class_path]
    for name in LOGS:
        with (folder / name).open("a") as log:
            log.write(f"{START_MARK} {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
    with process.reserved(folder) as lock:
        if not (folder / "data" / "meta.properties").exists():
            _format(folder, program)
        options = ["-Xmx512m", "-XX:+ExitOnOutOfMemoryError"]
        process.launch(folder, [*program, *options, "kafka.Kafka", "server.properties"], lock)


def _format(folder: Path, program: list[str]) -> None:
    """Prepares the data folder for a cluster with a new id."""
    new_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # a single argument, because an id may begin with a dash
    command = [*program, "kafka.tools.StorageTool", "format", "--config=server.properties", f"--cluster-id={new_id}"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        raise BrokerError(f"Kafka cannot format {folder / 'data'}: {(run.stderr or run.stdout).strip()[-500:]}")


def _wait(folder: Path, address: str, note: Note) -> bool:
    """Whether the folder's own broker answers at address; False once its process has ended."""

    def answers_or_ended() -> bool:
        return not process.is_running(folder) or probe.cluster_id(address) == config.cluster_id(folder)

    def still_waiting(seconds: float) -> None:
        note(f"Kafka at {address} does not answer yet, {seconds:.0f} s (log: {folder / 'server.log'}).")

    return probe.wait_for(answers_or_ended, START_LIMIT_S, still_waiting) and process.is_running(folder)


def _cause(folder: Path) -> str:
    """The log file's name, and the last errors and exceptions since this start, without stack traces."""
    lines: list[str] = []
    for name in LOGS:
        lines += (folder / name).read_text(errors="replace").rpartition(START_MARK)[2].splitlines()[1:]
    telling = [line.strip() for line in lines if re.search(r" (ERROR|FATAL) |^\S*(Exception|Error)\b|^Caused by", line)]
    last = list(dict.fromkeys(reversed(telling or lines)))[:4]  # without repetitions, root cause (last) first
    return f"{folder / 'server.log'} ends with: {' | '.join(reversed(last)) or '(nothing)'}"


@contextmanager
def _one_at_a_time(folder: Path, note: Note) -> Iterator[None]:
    """Serialises starts and stops of one folder; the first start may download the jars."""
    lock = FileLock(folder / "start.lock")
    try:
        lock.acquire(timeout=1)
    except Timeout:
        note("Another process is starting or stopping Kafka: waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
