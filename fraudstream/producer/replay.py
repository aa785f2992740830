"""Cursors over the two files of the stream: the next rows, and the transactions up to a time. No Kafka, no clock.

Each reads its file once and holds no more than a batch. Source: 1.1 and 1.3.
"""

import csv
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

from fraudstream.data import csv_files
from fraudstream.data.csv_files import Row
from fraudstream.data.rules import parse_time
from fraudstream.errors import DataError
from fraudstream.schemas import BROWSING, TRANSACTION

ROWS_PER_BATCH = 200


class _TimeOrder:
    """A file's rows with their parsed times, checked to be in order.

    Raises DataError, naming the row, for a time that cannot be read or is earlier than the one in the row before.
    """

    def __init__(self, path: Path, columns: list[str], time_column: str, reader: csv.DictReader | None = None) -> None:
        self.path, self.time_column = path, time_column
        rows = csv_files.rows(path, columns) if reader is None else csv_files.checked_rows(path, columns, reader)
        self._rows = enumerate(rows, start=1)
        self._before: tuple[datetime, str] | None = None

    def __iter__(self) -> Iterator[tuple[datetime, Row]]:
        return self

    def __next__(self) -> tuple[datetime, Row]:
        number, row = next(self._rows)
        text = row[self.time_column]
        try:
            time = parse_time(text)
        except ValueError as error:
            raise DataError(
                f"{self.path.name}, row {number}: {self.time_column} {text!r} cannot be read as a time "
                "(expected one like 2024-01-01 00:21:45.282). Correct it."
            ) from error
        if self._before and time < self._before[0]:
            raise DataError(
                f"{self.path.name}, row {number}: {self.time_column} {text} is earlier than {self._before[1]} "
                f"in the row before. Sort the file by {self.time_column}."
            )
        self._before = (time, text)
        return time, row


class _Cursor:
    """An iterator of rows that knows the time of its next row."""

    _rows: Iterator[tuple[datetime, Row]]
    _next: tuple[datetime, Row] | None

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        if self._next is None:
            raise StopIteration
        row, self._next = self._next[1], next(self._rows, None)
        return row


class BrowsingCursor(_Cursor):
    """Reads new_browsing_behaviour.csv in file order; an iterator of rows, as ``islice`` takes it.

    ``first_time`` is the event_time of the first row: no transaction before it belongs to the replay. ``reader``: an
    open csv.DictReader of the file (default: one is opened). Header, row lengths and the order of time are checked.
    """

    def __init__(self, path: Path, reader: csv.DictReader | None = None) -> None:
        self._rows = _TimeOrder(path, list(BROWSING), "event_time", reader)
        self._next = next(self._rows)
        self.first_time = self._next[0]

    @property
    def finished(self) -> bool:
        """Whether every row has been returned."""
        return self._next is None

    def next_rows(self, count: int = ROWS_PER_BATCH) -> list[Row]:
        """The next ``count`` rows as strings; fewer at the end of the file, none after it. Source: 1.1."""
        return list(islice(self, count))


class TransactionCursor(_Cursor):
    """Reads new_transaction.csv by created_at, an iterator of rows, from ``since``, the time of the first event.

    ``too_early`` counts the rows created before ``since``: they belong to no batch and are skipped.
    """

    def __init__(self, path: Path, since: datetime, reader: csv.DictReader | None = None) -> None:
        self._rows = _TimeOrder(path, list(TRANSACTION), "created_at", reader)
        self.too_early = 0
        self._next = next(self._rows, None)
        while self._next and self._next[0] < since:
            self.too_early += 1
            self._next = next(self._rows, None)

    @property
    def next_time(self) -> datetime | None:
        """created_at of the next row; None at the end of the file."""
        return self._next[0] if self._next else None

    def up_to(self, end: str) -> list[Row]:
        """The remaining rows with created_at up to ``end``, an event_time. Source: 1.3."""
        limit = parse_time(end)
        batch: list[Row] = []
        while self.next_time and self.next_time <= limit:
            batch.append(next(self))
        return batch

    def count_rest(self) -> int:
        """The number of rows left in the file: rows after the last batch are never sent."""
        return sum(1 for _ in self)
