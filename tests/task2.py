"""Runs the real Task 2 notebook headless in its own kernel, and tells how far it has come."""

import ast
import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from fraudstream.run.headless import environment
from fraudstream.schemas import TOPICS
from fraudstream.settings import PROJECT, Settings

NOTEBOOK = PROJECT / "A2B-Task2_spark_streaming.ipynb"
PATIENCE_S = 200


class Task2:
    """One execution of the notebook: started at once, ended by ``finish`` or by ``kill``."""

    def __init__(self, settings: Settings) -> None:
        self.checkpoint = settings.checkpoints / "predictions"
        self.notebook = nbformat.read(NOTEBOOK, as_version=4)
        self._client = NotebookClient(self.notebook, timeout=None, resources={"metadata": {"path": str(PROJECT)}})
        self._execution: Future = ThreadPoolExecutor(1).submit(self._client.execute, env=environment(settings))

    def wait_for(self, what: str, happened: Callable[[], bool]) -> None:
        """Wait until ``happened``; fails when the notebook ends before, or after PATIENCE_S seconds."""
        limit = time.monotonic() + PATIENCE_S
        while not happened():
            if self._execution.done():
                self._execution.result()
                raise AssertionError(f"The notebook has ended before this: {what}")
            assert time.monotonic() < limit, f"Not within {PATIENCE_S} s: {what}"
            time.sleep(0.05)

    def started(self) -> bool:
        return (self.checkpoint / "metadata").exists()

    def finish(self) -> nbformat.NotebookNode:
        """The executed notebook, once it has ended by itself."""
        self._execution.result(timeout=PATIENCE_S)
        return self.notebook

    def kill(self) -> None:
        """SIGKILL for the kernel and its Spark at the same moment; nothing of it runs any more afterwards."""
        os.killpg(self._client.km.provisioner.pid, signal.SIGKILL)
        assert isinstance(self._execution.exception(timeout=PATIENCE_S), DeadKernelError)

    def under_way(self) -> bool:
        """Whether a micro-batch has begun and is not committed."""
        return _newest(self.checkpoint / "offsets") > self.committed()

    def committed(self) -> int:
        """The newest micro-batch that is committed, -1 without any."""
        return _newest(self.checkpoint / "commits")

    def has_read(self, ends: dict[str, int]) -> Callable[[], bool]:
        """Whether all messages up to these numbers, by topic, belong to committed micro-batches."""
        return lambda: all(self._read_to().get(topic, 0) >= end for topic, end in ends.items())

    def _read_to(self) -> dict[str, int]:
        batch = self.committed()
        if batch < 0:
            return {}
        lines = [json.loads(line) for line in (self.checkpoint / "offsets" / str(batch)).read_text().splitlines()[1:]]
        return {topic: line[topic]["0"] for line in lines for topic in TOPICS if topic in line}


def constant(name: str) -> str:
    """The text that a cell of the notebook calls ``name``: what is graded there is what is tested."""
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        for each in ast.parse(cell.source).body if cell.cell_type == "code" and f"{name} = " in cell.source else ():
            if isinstance(each, ast.Assign) and each.targets[0].id == name:
                return ast.literal_eval(each.value)
    raise AssertionError(f"No cell defines {name}.")


def _newest(folder: Path) -> int:
    return max((int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit()), default=-1)
