"""The report on a data folder: a table of the files, one of the transactions, and a line per problem."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from fraudstream.data.check.relations import RELATIONS, relations
from fraudstream.data.check.result import Scan
from fraudstream.data.check.verdict import PAIRS, File, look_at
from fraudstream.errors import DataError
from fraudstream.schemas import FILES

# a narrower terminal gets fewer columns, so that names are never cut
WIDE = 130
HINT = "Correct the files, or continue with --tolerate (in a notebook: FRAUDSTREAM_TOLERATE=1)."


def report_files(data_dir: Path, has_model: bool, console: Console, tolerate: bool = False) -> list[str]:
    """Prints the report on the data folder; returns the names of the files that do not fit.

    With ``has_model``, a file that only the training reads may be missing. With ``tolerate``, damage is only reported.
    Raises DataError if the folder does not exist.
    """
    _require_folder(data_dir)
    with console.status("Reading the files ..."):
        files = look_at(data_dir, list(FILES), has_model)
    console.print(_files_table(data_dir, files, console.width >= WIDE, tolerate))
    for file in files:
        for text in (*file.problems, *file.damage, *file.notes):
            console.print(text, markup=False, highlight=False, soft_wrap=True)
    if not tolerate and any(file.damage for file in files):
        console.print(f"More than 1 % of the values or rows are unusable. {HINT}", highlight=False)
    scans = {file.name: file.scan for file in files if file.scan}
    if any(name in scans for name in PAIRS):
        console.print(_transactions_table(scans, console.width >= WIDE))
    return [file.name for file in files if file.problems or (file.damage and not tolerate)]


def require_files(data_dir: Path, names: Iterable[str], *, tolerate: bool = False) -> list[str]:
    """The check without tables, before a run or a training reads the files ``names``; returns what is worth saying.

    It needs no Spark, and may run in a thread or process of its own while other parts start.
    Raises DataError with the first problem, or with the first damage unless ``tolerate``.
    """
    _require_folder(data_dir)
    files = look_at(data_dir, list(names), has_model=False)
    for file in files:
        if file.problems:
            raise DataError(file.problems[0])
    for file in files:
        if file.damage and not tolerate:
            raise DataError(f"{file.damage[0]} {HINT}")
    return [text for file in files if file.scan for text in (*file.damage, *file.notes)]


def _require_folder(data_dir: Path) -> None:
    if not data_dir.is_dir():
        raise DataError(f"{data_dir}: there is no such folder. Set FRAUDSTREAM_DATA_DIR to that of your files.")


def _files_table(data_dir: Path, files: list[File], wide: bool, tolerate: bool) -> Table:
    table = Table(title=str(data_dir), title_justify="left", box=box.HEAVY_HEAD if wide else box.SIMPLE)
    headings = ("file", "rows", "columns", "from", "to", "sorted", "keys", "verdict")
    shown = headings if wide else ("file", "rows", "from", "to", "verdict")
    for heading in shown:
        table.add_column(heading, justify="right" if heading in ("rows", "columns") else "left", no_wrap=True)
    for file in files:
        refused = file.problems or (file.damage and not tolerate)
        verdict = "[red]does not fit[/]" if refused else "fits" if file.scan else "not there"
        if file.damage and not refused:
            verdict = "tolerated"
        cells = dict.fromkeys(headings, "")
        if file.scan:
            cells |= dict(zip(headings[1:-1], _facts(file.scan, wide), strict=True))
        cells |= {"file": file.scan.path.name if file.scan else file.name, "verdict": verdict}
        table.add_row(*(cells[heading] for heading in shown))
    return table


def _facts(found: Scan, wide: bool) -> list[str]:
    """rows, columns, from, to, sorted, keys."""
    repeated = found.repeated_keys
    order = "" if found.first_us is None else f"not from row {found.unordered_row:,}" if found.unordered_row else "yes"
    keys = "" if repeated is None else f"{repeated:,} twice" if repeated else "unique"
    times = [_time(found.first_us, wide), _time(found.last_us, wide)]
    return [f"{found.rows:,}", str(len(found.columns)), *times, order, keys]


def _transactions_table(scans: dict[str, Scan], wide: bool) -> Table:
    """How the transactions go with the other files; a transaction without a session is not predicted."""
    table = Table(title="Transactions", title_justify="left", box=box.HEAVY_HEAD if wide else box.SIMPLE)
    table.add_column("file", no_wrap=True)
    for heading in RELATIONS if wide else ("rows", *RELATIONS[1:]):
        table.add_column(heading, justify="right")
    for name, browsing in PAIRS.items():
        if name in scans:
            table.add_row(name, *relations(scans, scans[name], scans.get(browsing)))
    return table


def _time(us: int | None, wide: bool) -> str:
    if us is None:
        return ""
    return str(np.datetime64(us, "us").astype("datetime64[s]" if wide else "datetime64[D]")).replace("T", " ")
