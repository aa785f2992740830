"""The embedded broker: Apache Kafka from its own jars, one node (KRaft), bound to 127.0.0.1, one an output folder.

Everything it has stands in ``output/broker``: data, server.properties, broker.pid, server.log (Kafka's warnings and
errors), console.log (what Java itself prints).
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
from fraudstream.runtime.jars import jars
from fraudstream.runtime.java import java
from fraudstream.settings import Settings

LOG4J = Path(__file__).with_name("log4j2.properties")
START_LIMIT_S = 60
PORT_TRIES = 3
# Java's quick compiler and collector: half the processor time of a start, and more than enough for a batch a second
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
LOGS = ("console.log", "server.log")
START_MARK = "---- start"


@dataclass(frozen=True, repr=False)
class Status:
    """What the broker of a folder does; memory is resident, in megabytes (10^6 bytes), started in Unix seconds."""

    folder: Path
    running: bool
    address: str | None = None
    answers: bool = False
    pid: int | None = None
    memory_mb: float | None = None
    started: float | None = None

    def __repr__(self) -> str:
        if not self.running:
            return f"Kafka is not running (folder {self.folder})"
        state = "answers" if self.answers else "runs but does not answer"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.started))
        return (
            f"Kafka {state} at {self.address}, process {self.pid} since {since}, {self.memory_mb:.0f} MB, "
            f"folder {self.folder}"
        )


def start(settings: Settings, note: Note = print) -> str:
    """Starts the broker unless it runs, and returns its address once it answers a request: 127.0.0.1:port.

    Safe to call from several processes at once. The broker outlives its starter; a start after a crash or a reboot
    goes on with the same messages at the same address.
    Raises RuntimeMissingError (no Java, no jars) or BrokerError with the cause and the log file's name.
    """
    folder = settings.broker_dir
    if not process.is_running(folder):
        java()  # nothing is written where Kafka could not run
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder, note):
        if process.is_running(folder):
            address = config.address(folder)
            if address is not None and _wait(folder, address, note):
                return address
            if process.is_running(folder):  # and not one that was just killed
                raise BrokerError(f"{_status(folder)!r}. Stop it, then start again.")
        class_path = f"{jars('broker', settings.jars_dir, note)[0].parent}/*"
        return _start(folder, class_path, note)


def stop(settings: Settings) -> bool:
    """Ends the broker of this output folder, and only that process; False if none ran."""
    folder = settings.broker_dir
    if not folder.is_dir():
        return False
    with _one_at_a_time(folder, note=print):
        running = process.find(folder)
        if running is None:
            return False
        process.end(running, folder)
        (folder / "broker.pid").unlink(missing_ok=True)
        return True


@contextmanager
def stop_broker_afterwards(settings: Settings) -> Iterator[None]:
    """Around something that starts the broker: stopped at the end, unless it ran before. Nothing stays unasked."""
    ran = status(settings).running
    try:
        yield
    finally:
        if not ran:
            stop(settings)


def status(settings: Settings) -> Status:
    """Whether the broker of this output folder runs and answers, where, and what it takes."""
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
    answers = address is not None and probe.cluster_id(address) == _own_cluster_id(folder)
    try:
        memory_mb, started = running.memory_info().rss / 1e6, running.create_time()
    except psutil.NoSuchProcess:  # it ended while we looked
        return Status(folder, running=False)
    return Status(folder, True, address, answers, running.pid, memory_mb, started)


def _start(folder: Path, class_path: str, note: Note) -> str:
    """One attempt, and others only where somebody took the port between our look and Kafka's start."""
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
    # one word, as an id may begin with a dash
    command = [*program, "kafka.tools.StorageTool", "format", "--config=server.properties", f"--cluster-id={new_id}"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        raise BrokerError(f"Kafka cannot prepare {folder / 'data'}: {(run.stderr or run.stdout).strip()[-500:]}")


def _wait(folder: Path, address: str, note: Note) -> bool:
    """Whether the folder's own broker answers at address; False as soon as its process has ended."""

    def answers_or_ended() -> bool:
        return not process.is_running(folder) or probe.cluster_id(address) == _own_cluster_id(folder)

    def still_waiting(seconds: float) -> None:
        note(f"Kafka at {address} does not answer yet, {seconds:.0f} s (log: {folder / 'server.log'}).")

    return probe.wait_for(answers_or_ended, START_LIMIT_S, still_waiting) and process.is_running(folder)


def _own_cluster_id(folder: Path) -> str:
    path = folder / "data" / "meta.properties"
    found = re.search(r"^cluster\.id=(\S+)$", path.read_text(), re.M) if path.is_file() else None
    return found.group(1) if found else ""


def _cause(folder: Path) -> str:
    """The log file's name and the last causes since this start: errors and exceptions without their stack traces."""
    lines: list[str] = []
    for name in LOGS:
        lines += (folder / name).read_text(errors="replace").rpartition(START_MARK)[2].splitlines()[1:]
    telling = [line.strip() for line in lines if re.search(r" (ERROR|FATAL) |^\S*(Exception|Error)\b|^Caused by", line)]
    last = list(dict.fromkeys(reversed(telling or lines)))[:4]  # each once, the deepest cause comes last in a log
    return f"{folder / 'server.log'} ends with: {' | '.join(reversed(last)) or '(nothing)'}"


@contextmanager
def _one_at_a_time(folder: Path, note: Note) -> Iterator[None]:
    """Starts and stops of one folder wait for each other; a first start may have to download the jars."""
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
