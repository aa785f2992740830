"""The report on a data folder: a table of the files, one of the transactions, and a line per problem."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from fraudstream.data import csv_files
from fraudstream.data.check.scan import LABELS, Scan, scan
from fraudstream.errors import DataError
from fraudstream.schemas import (
    FILES,
    FRAUD_WORDS,
    HONEST_WORDS,
    OPTIONAL_FILES,
    PAST_FILES,
    STATIC_FILES,
    STREAM_FILES,
)

RELATIONS = ("transactions", "with a session", "customer not known", "product not known", "outside the events' time")
PAIRS = {"transactions.csv": "browsing_behaviour.csv", "new_transaction.csv": "new_browsing_behaviour.csv"}
NEEDED = {**STATIC_FILES, **STREAM_FILES}
# these need no order: the past may lie as it likes
SORTED = frozenset(STREAM_FILES)


@dataclass(frozen=True)
class File:
    """A file's verdict: ``problem`` is what keeps a run or a training from working, ``note`` what is worth knowing."""

    name: str
    scan: Scan | None
    problem: str = ""
    note: str = ""


def report_files(data_dir: Path, has_model: bool, console: Console) -> list[str]:
    """Prints what is in the data folder; returns the names of the files that do not fit.

    With ``has_model``, a file that only the training reads may be missing. Raises DataError without such a folder.
    """
    if not data_dir.is_dir():
        raise DataError(f"{data_dir}: there is no such folder. Set FRAUDSTREAM_DATA_DIR to that of your files.")
    with console.status("Reading the files ..."):
        files = [_look_at(data_dir, name, has_model) for name in FILES]
    scans = {file.name: file.scan for file in files if file.scan}
    console.print(_files_table(data_dir, files))
    for text in filter(None, (file.problem or file.note for file in files)):
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    if any(name in scans for name in PAIRS):
        console.print(_transactions_table(scans))
    return [file.name for file in files if file.problem]


def _look_at(data_dir: Path, name: str, has_model: bool) -> File:
    """The file's scan and verdict."""
    columns = NEEDED.get(name) or PAST_FILES.get(name) or FILES[name]
    try:
        found = scan(data_dir, name, list(columns))
        if name in LABELS:
            _check_words(found)
    except DataError as error:
        missing = not any((data_dir / each).is_file() for each in (name, csv_files.OTHER_NAMES.get(name, name)))
        if missing and name not in NEEDED and (has_model or name not in PAST_FILES):
            why = "only the training reads it" if name in PAST_FILES else "not needed"
            if name in OPTIONAL_FILES:
                why = "without it, precision and recall are not known"
            return File(name, None, note=f"{name}: not there; {why}")
        return File(name, None, problem=str(error))
    problem, note = _problem_and_note(found)
    return File(name, found, *(f"{found.path.name}: {text}." if text else "" for text in (problem, note)))


def _check_words(labels: Scan) -> None:
    """Raises DataError for an is_fraud that is spelt as none of FRAUD_WORDS and HONEST_WORDS."""
    for word in labels.values("is_fraud").to_pylist():
        if (word or "").strip().lower() not in FRAUD_WORDS + HONEST_WORDS:
            raise csv_files.unknown_label(labels.path, word)


def _problem_and_note(found: Scan) -> tuple[str, str]:
    """problem and note of a file that could be read."""
    repeated = found.repeated_keys
    if repeated and found.name in ("customer.csv", "product.csv", "category.csv"):
        return f"{repeated:,} rows repeat a key: keep one row of each", ""
    if found.name in SORTED and found.unordered_row:
        return f"row {found.unordered_row:,} is earlier than the one before: sort the file by time", ""
    notes = [f"{repeated:,} rows repeat a key, the first counts"] if repeated else []
    notes += [f"{found.without_time:,} rows without a time"] if found.without_time else []
    if found.name in SORTED and found.without_time:
        return notes[-1], ""
    return "", "; ".join(notes)


def _files_table(data_dir: Path, files: list[File]) -> Table:
    table = Table(title=str(data_dir), title_justify="left")
    for heading in ("file", "rows", "columns", "from", "to", "sorted", "keys", "verdict"):
        table.add_column(heading, justify="right" if heading in ("rows", "columns") else "left")
    for file in files:
        verdict = "[red]does not fit[/]" if file.problem else "fits" if file.scan else "not there"
        table.add_row(
            file.scan.path.name if file.scan else file.name, *(_facts(file.scan) if file.scan else [""] * 6), verdict
        )
    return table


def _facts(found: Scan) -> list[str]:
    """rows, columns, from, to, sorted, keys."""
    repeated = found.repeated_keys
    order = "" if found.first_ns is None else f"not from row {found.unordered_row:,}" if found.unordered_row else "yes"
    keys = "" if repeated is None else f"{repeated:,} twice" if repeated else "unique"
    return [f"{found.rows:,}", str(len(found.columns)), _time(found.first_ns), _time(found.last_ns), order, keys]


def _transactions_table(scans: dict[str, Scan]) -> Table:
    """How the transactions go with the other files; a transaction without a session is not predicted."""
    table = Table(title="Transactions", title_justify="left")
    table.add_column("file")
    for heading in RELATIONS:
        table.add_column(heading, justify="right")
    for name, browsing in PAIRS.items():
        if name in scans:
            table.add_row(name, f"{scans[name].rows:,}", *_relations(scans, scans[name], scans.get(browsing)))
    return table


def _relations(scans: dict[str, Scan], sold: Scan, browsing: Scan | None) -> list[str]:
    """with a session, customer not known, product not known, outside the time of the browsing file: as texts."""
    relations = ["?"] * 4
    if browsing:
        matched = _count_in(sold.values("session_id"), browsing.values("session_id"))
        relations[0] = f"{matched / sold.rows:.1%}" if sold.rows else "none"
        times = np.concatenate(sold.times_ns) if sold.times_ns else np.array([], dtype=np.int64)
        if browsing.first_ns is not None:
            relations[3] = f"{int(((times < browsing.first_ns) | (times > browsing.last_ns)).sum()):,}"
    if "customer.csv" in scans:
        known = _count_in(sold.values("customer_id"), scans["customer.csv"].values("customer_id"))
        relations[1] = f"{sold.rows - known:,}"
    if "product.csv" in scans:
        products = pc.cast(scans["product.csv"].values("id"), pa.int64()).to_numpy()
        unknown = [rows[~np.isin(items, products)] for rows, items in sold.carts]
        relations[2] = f"{len(np.unique(np.concatenate(unknown))) if unknown else 0:,}"
    return relations


def _count_in(values: pa.ChunkedArray, known: pa.ChunkedArray) -> int:
    return pc.sum(pc.is_in(values, value_set=known.combine_chunks())).as_py() or 0


def _time(ns: int | None) -> str:
    return "" if ns is None else str(np.datetime64(ns, "ns").astype("datetime64[s]")).replace("T", " ")
