"""The parts of the pipeline: broker, stream (the real Task 2 notebook), programs; each has its own processes."""

import base64
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from fraudstream.kafka.broker import config
from fraudstream.kafka.broker.server import QUICK
from fraudstream.run.headless import NOTEBOOKS, environment
from fraudstream.runtime.jars import jars
from fraudstream.runtime.java import java
from fraudstream.settings import PROJECT, Settings

HOST = "127.0.0.1"
INTERRUPT_LIMIT_S = 300


class Program:
    """A program in its own process group; its output goes to a log, and the log is kept when it is started again."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str], cwd: Path = PROJECT) -> None:
        self._command, self._log, self._environment, self._cwd = command, log, environment, cwd
        self._process: subprocess.Popen | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def ended_by_itself(self) -> str:
        """The end of the log of a program that has ended although nobody killed it; empty otherwise."""
        return "" if self._process is None or self.running else self._log.read_text(errors="replace")[-600:]

    def start(self) -> None:
        with self._log.open("a") as log:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
            self._process = subprocess.Popen(
                self._command, cwd=self._cwd, env=self._environment, start_new_session=True, **pipes
            )

    def send(self, number: int) -> None:
        """Sends a signal to all of its processes."""
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """SIGKILL; it is gone afterwards."""
        if self.running:
            self.send(signal.SIGKILL)
            self._process.wait(30)
        self._process = None


class Broker(Program):
    """A Kafka that clients reach through another port, that of the relay."""

    def __init__(self, folder: Path, jars_dir: Path, port: int) -> None:
        self._folder, self.port = folder, port
        program = [str(java()), *QUICK, "-Xmx512m", "-cp", f"{jars('broker', jars_dir)[0].parent}/*"]
        super().__init__([*program, "kafka.Kafka", "server.properties"], folder / "kafka.log", {**os.environ}, folder)
        self._format = [*program, "kafka.tools.StorageTool", "format", "--config=server.properties"]

    def prepare(self, advertised: int) -> None:
        """Formats its storage; clients are told the port ``advertised``."""
        self._folder.mkdir(parents=True)
        text = config.PROPERTIES.format(
            host=HOST, port=self.port, controller_port=config.free_port(frozenset({self.port}))
        )
        at = f"advertised.listeners=PLAINTEXT://{HOST}:"
        (self._folder / "server.properties").write_text(text.replace(f"{at}{self.port}", f"{at}{advertised}"))
        new_id = "k" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        subprocess.run([*self._format, f"--cluster-id={new_id}"], cwd=self._folder, check=True, capture_output=True)


class Stream:
    """The Task 2 notebook, executed in its own kernel."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: NotebookClient | None = None
        self._execution: Future | None = None
        self._cell = ""

    def start(self) -> None:
        """Starts the notebook from its first cell."""
        notebook = nbformat.read(NOTEBOOKS["Task 2"], as_version=4)
        resources = {"metadata": {"path": str(PROJECT)}}
        self._client = NotebookClient(notebook, timeout=None, resources=resources, on_cell_start=self._reached)
        log = (self._settings.output_dir / "kernel.log").open("a")
        given = {"env": environment(self._settings), "stderr": log}
        self._execution = ThreadPoolExecutor(1).submit(self._client.execute, **given)

    def _reached(self, cell: nbformat.NotebookNode, cell_index: int) -> None:
        self._cell = cell.source

    @property
    def running(self) -> bool:
        return self._execution is not None and not self._execution.done()

    @property
    def ended_by_itself(self) -> str:
        """Why the notebook has ended although nobody killed it; empty if it has not."""
        if self._execution is None or not self._execution.done():
            return ""
        return str(self._execution.exception() or "the notebook came to its end")[-600:]

    @property
    def _pid(self) -> int | None:
        kernel = self._client and self._client.km and self._client.km.provisioner
        return kernel.pid if kernel else None

    def send(self, number: int) -> None:
        """Sends a signal to the kernel and its Spark."""
        os.killpg(self._pid, number)

    def kill(self) -> None:
        """SIGKILL for the kernel and its Spark at the same moment."""
        if self.running and self._pid:
            self.send(signal.SIGKILL)
            with suppress(DeadKernelError):
                self._execution.result(timeout=60)
        self._execution = None

    def finish(self) -> nbformat.NotebookNode:
        """Interrupts the wait of the notebook, lets its last cells run, and returns it executed."""
        wait_for("the notebook's wait", lambda: "wait_until_idle" in self._cell, INTERRUPT_LIMIT_S)
        time.sleep(3)  # the cell's tables come first
        os.kill(self._pid, signal.SIGINT)
        return self._execution.result(timeout=INTERRUPT_LIMIT_S)


def program(module: str, log: Path, settings: Settings, *arguments: object) -> Program:
    """A program of this package, ``python -m benchmarks.soak.<module>``, with these settings."""
    command = [sys.executable, "-u", "-m", f"benchmarks.soak.{module}", *map(str, arguments)]
    return Program(command, log, environment(settings))


def wait_for(what: str, happened: Callable[[], bool], limit_s: float, every_s: float = 0.05) -> float:
    """The seconds until ``happened``. Raises TimeoutError with ``what`` after ``limit_s`` seconds."""
    began = time.monotonic()
    while not happened():
        if time.monotonic() - began > limit_s:
            raise TimeoutError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(every_s)
    return time.monotonic() - began
