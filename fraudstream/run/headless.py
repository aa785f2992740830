"""The three notebooks, headless and at the same time, and the reconciliation of what they did."""

import asyncio
import os
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import CellExecutionError, DeadKernelError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fraudstream.data.check import require_files
from fraudstream.errors import BrokerError, FraudstreamError, Interrupted
from fraudstream.kafka.broker import stop_broker_afterwards
from fraudstream.kafka.client import client_options
from fraudstream.notebook.prepare import ensure_data, ensure_model
from fraudstream.run.lock import hold_output_folder
from fraudstream.run.reconcile import reconcile
from fraudstream.run.reconciliation import Reconciliation
from fraudstream.run.reset import reset
from fraudstream.run.shortfall import shortfall
from fraudstream.run.watch import WatchedClient, Watcher
from fraudstream.runtime.java import java
from fraudstream.schemas import OPTIONAL_FILES, PREDICTIONS, STATIC_FILES, STREAM_FILES
from fraudstream.settings import CHECKED, PROJECT, Settings
from fraudstream.storage.folders import writable
from fraudstream.storage.hadoop import AnyPath

NOTEBOOKS = {
    "Task 1": PROJECT / "A2B-Task1_producer.ipynb",
    "Task 2": PROJECT / "A2B-Task2_spark_streaming.ipynb",
    "Task 3": PROJECT / "A2B-Task3_consumer.ipynb",
}
DEFAULT_BATCHES = 120
IDLE_S = 15
ONCE_MORE = "{} ended before Task 1 did: running it again; it continues."
LOOK_AT_BROKER_EVERY_S = 1


def run(
    settings: Settings,
    *,
    empty_topics: bool = False,
    wait_s: float = 60,
    console: Console | None = None,
    tolerate: bool = False,
) -> Reconciliation:
    """Replays the stream through all three notebooks; returns the reconciliation, which is in summary.json, too.

    Makes what is missing first (data, model, broker); results of an earlier run move to ``earlier``.
    ``tolerate``: also with files in which more than one in a hundred values cannot be used.
    Raises FraudstreamError if Java, a file, the model or Kafka (after ``wait_s`` seconds) is missing, or if a notebook
    uses the output folder, before anything is moved; and if a notebook does not finish. Ctrl-C raises Interrupted.
    """
    try:
        return _run(settings, empty_topics, wait_s, console or Console(), tolerate)
    except KeyboardInterrupt as error:
        raise Interrupted("Interrupted: the notebooks and the broker have been stopped.") from error


def _run(settings: Settings, empty_topics: bool, wait_s: float, console: Console, tolerate: bool) -> Reconciliation:
    java()
    writable(settings.output_dir)
    settings.predictions.exists()  # storage that cannot be reached is an error now, not after the training
    ensure_data(settings)
    _check_files_and_model(settings, console, tolerate)
    settings = _headless(settings)
    with hold_output_folder(settings), stop_broker_afterwards(settings, "run"):
        address = reset(settings, empty_topics=empty_topics, wait_s=wait_s, note=console.print)
        console.print(f"Kafka: {address}. {settings.batches} batches, one every {settings.interval_s:g} s.")
        with _progress(console) as progress:
            asyncio.run(_run_all(settings, watcher := Watcher(console, progress)))
            summary = reconcile(settings, client_options(settings))
            if summary.unread:  # a pause of Task 1 while Kafka is away can look like the end
                console.print(ONCE_MORE.format("Task 2"))
                asyncio.run(_run_one("Task 2", settings, watcher))
                summary = reconcile(settings, client_options(settings))
    said = shortfall(summary)
    console.print(f"{summary.verdict}{said and f', but: {said}'}", highlight=False, soft_wrap=True)
    console.print(_table(summary))
    if said:
        console.print(f"{said}.", highlight=False, soft_wrap=True)
    for name, path in result_paths(settings):
        console.print(f"{name}: {path}", highlight=False, markup=False, soft_wrap=True)
    return summary


def result_paths(settings: Settings) -> list[tuple[str, AnyPath]]:
    """The results of a run: (name, path), relative to the current folder if they are in it."""
    output = settings.output_dir
    places = {
        "Predictions": settings.predictions,
        "Reports": settings.reports,
        "Quarantine": settings.quarantine,
        "Summary": output / "summary.json",
        "Chart": output / "successful_transactions.png",
        "Notebooks": settings.notebooks,
        "Logs": settings.logs,
    }
    return [(name, _from_here(path)) for name, path in places.items() if path.exists()]


def _from_here(path: AnyPath) -> AnyPath:
    here = Path.cwd()
    return path.relative_to(here) if isinstance(path, Path) and path.is_relative_to(here) else path


def _check_files_and_model(settings: Settings, console: Console, tolerate: bool) -> None:
    """Reads the files as `check` does while the model is opened; before a training, which takes a minute, it waits."""
    with ThreadPoolExecutor(1) as pool:
        names = [*STATIC_FILES, *STREAM_FILES, *OPTIONAL_FILES]
        checked = pool.submit(require_files, settings.data_dir, names, tolerate=tolerate)
        if not settings.model.exists():
            checked.result()
        ensure_model(settings, tolerate=tolerate)
        for text in checked.result():
            console.print(text, markup=False, highlight=False, soft_wrap=True)


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a kernel with these settings, whose files `run` has checked."""
    return {**os.environ, **settings.as_environment(), CHECKED: "1"}


def _headless(settings: Settings) -> Settings:
    """The settings of an unattended run: it ends by itself."""
    return settings.model_copy(
        update={
            "batches": settings.batches or DEFAULT_BATCHES,
            "idle_s": settings.idle_s or max(IDLE_S, 3 * settings.interval_s),
        }
    )


async def _run_all(settings: Settings, watcher: Watcher) -> None:
    """Task 2 listens first, so that the latencies are those of a running system; then Task 1 sends and Task 3 draws.

    Task 3 is not started sooner: its time limit for the first message does not include Spark's start.
    """
    sent = asyncio.Event()
    broker = asyncio.create_task(_keep_broker(settings, watcher.console))
    tasks = [
        asyncio.create_task(each, name=name)
        for name, each in {
            "Task 2": _run_one("Task 2", settings, watcher),
            "Task 3": _when_listening(settings, _draw(settings, watcher, sent)),
            "Task 1": _when_listening(settings, _send(settings, watcher, sent)),
        }.items()
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        # errors of nbclient's inner tasks after a kernel has ended add nothing to the reported reason
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        for task in (broker, *tasks):
            task.cancel()
        await asyncio.gather(broker, *tasks, return_exceptions=True)


async def _keep_broker(settings: Settings, console: Console) -> None:
    """Restarts the embedded broker if it is killed: Task 2 waits for it but does not start it."""
    cluster = client_options(settings).cluster
    with suppress(BrokerError):  # the notebooks wait for it, and end with their own message
        while True:
            await asyncio.sleep(LOOK_AT_BROKER_EVERY_S)
            await asyncio.to_thread(cluster.restart_if_killed, console.print)


async def _when_listening(settings: Settings, then: Coroutine[Any, Any, None]) -> None:
    started = settings.checkpoints / PREDICTIONS / "metadata"
    with closing(then):
        while not started.exists():
            await asyncio.sleep(0.2)
        await then


async def _send(settings: Settings, watcher: Watcher, sent: asyncio.Event) -> None:
    await _run_one("Task 1", settings, watcher)
    sent.set()


async def _draw(settings: Settings, watcher: Watcher, sent: asyncio.Event) -> None:
    await _run_one("Task 3", settings, watcher)
    if not sent.is_set():  # it reads the topic from its beginning: the second chart is complete
        await sent.wait()
        watcher.console.print(ONCE_MORE.format("Task 3"))
        await _run_one("Task 3", settings, watcher)


async def _run_one(name: str, settings: Settings, watcher: Watcher) -> None:
    notebook = nbformat.read(NOTEBOOKS[name], as_version=4)
    task = watcher.add(name, len(notebook.cells))
    client = WatchedClient(
        notebook,
        timeout=None,
        resources={"metadata": {"path": str(PROJECT)}},
        on_cell_start=lambda cell, cell_index: watcher.reached(task, cell_index),
    )
    client.on_text = lambda text: watcher.said(name, task, text)
    try:
        # Java's standard error is not shown; errors of the cells arrive as messages
        settings.logs.mkdir(parents=True, exist_ok=True)
        with (settings.logs / "kernels.log").open("a") as log:
            await client.async_execute(env=environment(settings), stderr=log)
        watcher.reached(task, len(notebook.cells))
        watcher.said(name, task, "finished")
    except CellExecutionError as error:
        raise FraudstreamError(f"{NOTEBOOKS[name].name} stopped: {error.ename}: {error.evalue}") from error
    except DeadKernelError as error:
        raise FraudstreamError(
            f"{NOTEBOOKS[name].name} stopped: its kernel was killed, usually out of memory. See {settings.logs}."
        ) from error
    finally:
        settings.notebooks.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, settings.notebooks / NOTEBOOKS[name].name)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn(), TextColumn("{task.fields[said]}"))
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _table(summary: Reconciliation) -> Table:
    table = Table()
    table.add_column("")
    table.add_column("value", justify="right")
    for name, value in summary.rows():
        table.add_row(name, value)
    return table
