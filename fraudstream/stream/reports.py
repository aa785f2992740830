"""The reports of 2.7 in one SQLite file: what each transaction adds to a window, upserted by key, and SQL over it.

A micro-batch that runs twice, or a prediction that is revised, replaces rows by their key: the upsert is idempotent, so
every sum is exact after any restart. Times are UTC, ISO 8601.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TypeVar

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from sqlite_utils import Database

from fraudstream.errors import Note, OutputError
from fraudstream.schemas import REPORT_VIEWS

BUSY_TIMEOUT_S, NOTE_EVERY_S = 5, 10
# A window is finished once the report has seen a later one begin; after a pause, once no row of it can still arrive:
# a minute of lateness and a minute for the report's own trigger
SILENCE = timedelta(minutes=2)
FINISHED = """window_end <= max(
    (select max(window_start) from {table}), strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now', '-2 minutes'))"""

Result = TypeVar("Result")


class Reports:
    """The reports' file. Each call opens it anew, so that any thread may call; readers never block a writer (WAL)."""

    def __init__(self, path: Path, note: Note = print) -> None:
        self.path, self._note = path, note
        path.parent.mkdir(parents=True, exist_ok=True)
        self._patiently(lambda file: file.enable_wal())

    def upsert(self, table: str, batch: DataFrame, key: tuple[str, ...] = ("transaction_id",)) -> None:
        """Replaces rows of ``table`` by window_start and ``key``. May run twice, and changes nothing the second time.

        In: a micro-batch with window (struct of start and end) and any further columns. The table gets window_start
        and window_end in place of window.
        """
        # windows as Unix seconds: a local datetime would be ambiguous in the hour that daylight saving repeats
        span = [F.col(f"window.{end}").cast("long").alias(f"window_{end}") for end in ("start", "end")]
        rows = [row.asDict() for row in batch.select(*span, *(c for c in batch.columns if c != "window")).collect()]
        for row in rows:
            row.update(window_start=_utc(row["window_start"]), window_end=_utc(row["window_end"]))
        if rows:
            self._patiently(lambda file: file[table].upsert_all(rows, pk=("window_start", *key)))

    def value(self, query: str) -> float | int | None:
        """The one value of ``query``."""
        return self._patiently(lambda file: file.execute(query).fetchone()[0])

    def view(self, name: str, table: str, query: str) -> None:
        """Makes ``name``, one of REPORT_VIEWS, a view of the finished windows of ``query``, a select with :since."""
        columns = ", ".join(REPORT_VIEWS[name])
        whole = query.replace(":since", "''")
        finished = f"select {columns} from ({whole}) where {FINISHED.format(table=table)}"

        def create(file: Database) -> None:
            if name in file.table_names():
                raise OutputError(f"{self.path} was written by an older version: it holds {name} as a table. Reset it.")
            if table in file.table_names():
                file.create_view(name, finished, replace=True)

        self._patiently(create)

    def read(self, query: str, table: str, windows: int) -> pd.DataFrame:
        """Rows of ``query`` (with :since), newest window first, over the newest ``windows`` of ``table`` only.

        Bounded, so that a day of reports is read as fast as a minute of them.
        """

        def rows(file: Database) -> pd.DataFrame:
            if table not in file.table_names():
                return pd.DataFrame()
            newest = f"select window_start from {table} group by 1 order by 1 desc limit ?"
            since = min((start for (start,) in file.execute(newest, [windows])), default="")
            bounded = f"select * from ({query}) order by window_start desc"
            return pd.read_sql_query(bounded, file.conn, params={"since": since})

        return self._patiently(rows)

    def _patiently(self, work: Callable[[Database], Result]) -> Result:
        """``work`` in a transaction of its own; while somebody else holds the file, it waits, visibly, and retries."""
        began, noted = time.monotonic(), 0.0
        while True:
            try:
                with closing(sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S)) as connection, connection:
                    return work(Database(connection))
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) and "busy" not in str(error):
                    raise OutputError(f"{self.path}: {error}. Free the file or its disk and start again.") from error
                waited = time.monotonic() - began
                if waited - noted > NOTE_EVERY_S:
                    noted = waited
                    self._note(f"{self.path.name} is locked by another program: waiting for {waited:.0f} s.")


def finished(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` without the windows that still grow, by the rule of the views; all of them where none is finished."""
    if rows.empty:
        return rows
    silent = datetime.now(timezone.utc) - SILENCE
    ended = rows["window_end"] <= max(rows["window_start"].max(), silent.isoformat(timespec="seconds"))
    return rows[ended] if ended.any() else rows


def _utc(seconds: int) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
