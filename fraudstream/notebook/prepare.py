"""Preparation of a notebook: data, a model, one-line errors, logs to a file."""

import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import Any

from filelock import FileLock
from IPython import get_ipython
from IPython.core.interactiveshell import InteractiveShell

from fraudstream.data import csv_files
from fraudstream.data.check.report import require_files
from fraudstream.errors import DataError, FraudstreamError
from fraudstream.model import SavedModel
from fraudstream.schemas import STATIC_FILES, STREAM_COLUMNS, STREAM_FILES
from fraudstream.settings import CHECKED, PROJECT, Settings
from fraudstream.storage.folders import writable


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A visible note around something that takes long: what is done now, and how long it took."""
    print(f"{what} ...", flush=True)
    since = monotonic()
    yield
    print(f"{what}: done in {monotonic() - since:.0f} s.", flush=True)


def ensure_data(settings: Settings, files: Iterable[str] = STREAM_FILES) -> None:
    """Check that ``files`` are in the data folder; a project without any data of the stream makes its own first.

    Three notebooks may ask at the same moment: one makes the data, the others wait.
    Raises DataError when some of the files are missing: the user's own data are never completed with generated ones.
    """
    settings.cache.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.cache / "data.lock"):
        if settings.data_dir == PROJECT / "data" and not any(_is_there(settings, name) for name in STREAM_FILES):
            from fraudstream.data.generate import generate

            with waiting(f"No data yet: generating them in {settings.data_dir}"):
                generate(settings.data_dir)
    missing = [name for name in files if not _is_there(settings, name)]
    if missing:
        raise DataError(
            f"{', '.join(missing)}: not found in {settings.data_dir}. Put the files there, set FRAUDSTREAM_DATA_DIR to "
            "their folder, or make data with: python -m fraudstream generate"
        )


def ensure_model(settings: Settings, *, tolerate: bool = False) -> None:
    """Check that the model's zip is there; train it first when it is not.

    Training has a process of its own: the notebook's Spark, made later, must not inherit its Java virtual machine.
    ``tolerate``: train also on files in which more than one in a hundred values cannot be used.
    Only the project's own model is made; one that FRAUDSTREAM_MODEL names has to be there.
    Raises DataError when there is nothing to train from, ModelError when the zip is missing, is no model, or wants what
    the stream does not have.
    """
    settings.cache.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.cache / "model.lock"):
        if settings.model == PROJECT / "models" / "my_ML_model.zip" and not settings.model.exists():
            with (
                waiting(f"No model yet: training one for {settings.model}"),
                ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
            ):
                pool.submit(_train, settings, tolerate).result()
    SavedModel.open(settings.model).match(STREAM_COLUMNS, settings.column_aliases)


def _train(settings: Settings, tolerate: bool) -> None:
    """Trains in a process of its own."""
    from fraudstream.model.train import train

    train(settings, tolerate=tolerate)


def prepare(settings: Settings, *, data: bool = True, model: bool = False) -> None:
    """Create what is missing ("open and run all" works in a fresh clone); errors are one line from here on.

    ``data``: also check the files of the stream, with ``model`` also the static ones, as `python -m fraudstream check`
    does, unless `run` has done it; the remarks are printed. Raises DataError if a file does not fit;
    FRAUDSTREAM_TOLERATE=1 continues in spite of unusable values.
    """
    _errors_in_one_line()
    writable(settings.output_dir)
    _logs_go_to(settings.logs / "notebooks.log")
    if data:
        ensure_data(settings)
        _check_files(settings, [*STREAM_FILES, *(STATIC_FILES if model else ())])
    if model:
        ensure_model(settings, tolerate=settings.tolerate)
        _java_speaks_to(settings.logs / "java.log")


def _check_files(settings: Settings, names: list[str]) -> None:
    if CHECKED not in os.environ:
        for text in require_files(settings.data_dir, names, tolerate=settings.tolerate):
            print(text)


def _errors_in_one_line() -> None:
    """Show a FraudstreamError, or an interrupt, in the notebook as one line; the cell fails all the same."""
    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((FraudstreamError, KeyboardInterrupt), _show_error)


def _logs_go_to(path: Path) -> None:
    """What libraries log goes to the file ``path`` and not into the notebook, whatever the user interrupts.

    py4j logs an interrupt while Java is asked in a way that opens the notebook to all logs from then on, stack traces
    of stopped micro-batches among them. What the user has to know, cells say by themselves.
    """
    root = logging.getLogger()
    if get_ipython() is not None and not any(isinstance(each, logging.FileHandler) for each in root.handlers):
        path.parent.mkdir(parents=True, exist_ok=True)
        to_file = logging.FileHandler(path, delay=True)
        to_file.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
        root.addHandler(to_file)


def _java_speaks_to(log: Path) -> None:
    """What the kernel's Java, started later, says on standard error goes to ``log``; Python's goes to the notebook."""
    if getattr(get_ipython(), "kernel", None) is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            os.dup2(file.fileno(), 2)


def _show_error(
    shell: InteractiveShell, kind: type, error: BaseException, trace: Any, tb_offset: Any = None
) -> list[str]:
    message = "this cell is not finished. Run it again, and then those below." if kind is KeyboardInterrupt else error
    lines = [f"{'Interrupted' if kind is KeyboardInterrupt else kind.__name__}: {message}"]
    shell._showtraceback(kind, error, lines)
    return lines


def _is_there(settings: Settings, name: str) -> bool:
    return any((settings.data_dir / each).is_file() for each in (name, csv_files.OTHER_NAMES.get(name, name)))
