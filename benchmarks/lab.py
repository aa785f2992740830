"""Measures memory, notebook files and latency minute by minute: does a long session in JupyterLab slow down?

Opens the three notebooks in the system's Chromium with the project's `lab`, runs all their cells and prints one line
per minute: resident memory of each kernel and of Spark's Java, size of the saved notebooks (JupyterLab saves every two
minutes), latency from ts to a readable prediction for the predictions of that minute, and the processor time that
Task 3 takes per batch to read, count and draw.

    .venv/bin/python -m benchmarks.lab --minutes 15

It generates its own data, long enough; FRAUDSTREAM_MODEL names the model.
"""

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer
from playwright.sync_api import sync_playwright

from fraudstream.data.generate import generate
from fraudstream.errors import FraudstreamError
from fraudstream.settings import Settings, load_settings
from fraudstream.stream.store import batch_files, batch_number, read_batch
from tools.browser import BROWSERS, TASK_1, TASK_2, TASK_3, TASKS, Person, Server, find_browser, until

BATCHES_AT_SCALE_1 = 500
START_S, BETWEEN_S = 300, 60
COLUMNS = {
    "minute": 6,
    "Task 1 MB": 9,
    "Task 2 MB": 9,
    "Spark MB": 8,
    "Task 3 MB": 9,
    "notebooks kB": 15,
    "predicted": 9,
    "p50 s": 5,
    "p95 s": 5,
    "Task 3 ms/batch": 15,
}


def main(minutes: Annotated[int, typer.Option(help="Minutes to measure.")] = 15) -> None:
    """Prints one line per minute after the first prediction."""
    if not (browser := find_browser()):
        raise FraudstreamError(f"No {', '.join(BROWSERS)} here: install Debian's chromium.")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, sync_playwright() as playwright:
        folder = Path(name)
        generate(folder / "data", scale=(60 * minutes + START_S) / BATCHES_AT_SCALE_1, progress=False)
        own = {"data_dir": folder / "data", "output_dir": folder / "output", "bootstrap_servers": ""}
        settings = load_settings(**own, batches=None, idle_s=None)
        server = Server(folder, settings)
        try:
            person = Person(playwright, browser, server)
            for notebook in (TASK_2, TASK_3, TASK_1):
                person.do(notebook, "notebook:run-all-cells")
            until(lambda: any(batch_files(settings.predictions)), START_S, "the first prediction")
            _watch(minutes, Look(folder, settings, server, person))
        finally:
            server.close()


def _watch(minutes: int, look: "Look") -> None:
    print(_line(COLUMNS), flush=True)
    began = time.monotonic()
    for minute in range(minutes + 1):
        time.sleep(max(0, began + minute * BETWEEN_S - time.monotonic()))
        print(_line([str(minute), *look()]), flush=True)
    errors = [error for notebook in TASKS for error in look.person.errors(notebook)]
    print("No cell shows an error." if not errors else "\n".join(errors))


class Look:
    """Figures of the processes, the files, and the predictions since the previous call."""

    def __init__(self, folder: Path, settings: Settings, server: Server, person: Person) -> None:
        self.person, self._folder = person, folder
        self._predictions, self._interval_s = settings.predictions, settings.interval_s
        kernels = {notebook: person.kernel(notebook) for notebook in TASKS}
        family = server.family()
        self._kernels = {
            notebook: next(each for each in family if kernel in " ".join(each.cmdline()))
            for notebook, kernel in kernels.items()
        }
        java = [each for each in self._kernels[TASK_2].children(recursive=True) if each.name() == "java"]
        self._java = max(java, key=_megabytes)
        self._seen: set[int] = set()
        self._since, self._busy_s = time.monotonic(), self._drawn_s()

    def __call__(self) -> list[str]:
        """The values of COLUMNS, without the minute."""
        processes = [self._kernels[TASK_1], self._kernels[TASK_2], self._java, self._kernels[TASK_3]]
        sizes = "/".join(f"{(self._folder / notebook).stat().st_size / 1000:.0f}" for notebook in TASKS)
        seconds = self._seconds()
        p50, p95 = np.percentile(seconds, [50, 95]) if seconds else (np.nan, np.nan)
        now, busy_s = time.monotonic(), self._drawn_s()
        per_batch = (busy_s - self._busy_s) / (now - self._since) * self._interval_s
        self._since, self._busy_s = now, busy_s
        memory = [f"{_megabytes(each):,.0f}" for each in processes]
        return [*memory, sizes, f"{len(seconds):,}", f"{p50:.1f}", f"{p95:.1f}", f"{1000 * per_batch:.0f}"]

    def _drawn_s(self) -> float:
        times = self._kernels[TASK_3].cpu_times()
        return times.user + times.system

    def _seconds(self) -> list[float]:
        """From ts until the prediction could be read, of each that has come since the look before."""
        new = list(batch_files(self._predictions, known=self._seen))
        self._seen.update(batch_number(each) for each in new)
        return [file.stat().st_ctime - ts for file in new for ts in read_batch(file, ["ts"])["ts"].to_pylist()]


def _line(values: Iterable[str]) -> str:
    return "  ".join(f"{value:>{width}}" for value, width in zip(values, COLUMNS.values(), strict=True))


def _megabytes(process: psutil.Process) -> float:
    return process.memory_info().rss / 1e6


if __name__ == "__main__":
    typer.run(main)
