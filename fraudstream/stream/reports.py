"""The reports of 2.7 in one SQLite file: what each transaction adds to a window, upserted by key, and SQL over it.

A repeated micro-batch or a revised prediction replaces rows by key: the upsert is idempotent, so all sums are exact
after any restart. Times are UTC, ISO 8601.

The sums are SQL in 2.7 of the Task 2 notebook; ``recount`` recomputes them.

The reports can be derived from the predictions: a file that is deleted, emptied or replaced is rebuilt from them.
"""

import sqlite3
import threading
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
from fraudstream.settings import Settings
from fraudstream.storage.hadoop import AnyPath
from fraudstream.stream.checkpoint import require_predictions
from fraudstream.stream.recount import KEYS, recounted, utc, wrong_windows

BUSY_TIMEOUT_S, NOTE_EVERY_S = 5, 10
# A window is finished once the report has seen a later one begin; after a pause, once no row of it can still arrive:
# a minute of lateness and a minute for the report's own trigger
SILENCE = timedelta(minutes=2)
FINISHED = """window_end <= max(
    (select max(window_start) from {table}), strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now', '-2 minutes'))"""

Result = TypeVar("Result")


class Reports:
    """The reports' file. Each call opens it again, so any thread may call; readers never block a writer (WAL)."""

    def __init__(
        self,
        path: Path,
        note: Note = print,
        predictions: AnyPath | None = None,
        catalogue: Callable[[], pd.DataFrame] | None = None,
    ) -> None:
        """``predictions``: their folder. With it, the file is rebuilt now if any window differs from the predictions,
        and later if it is deleted, emptied or replaced. ``catalogue`` then returns product_id and the further columns
        that products_by_transaction has of a product.
        """
        self.path, self._note, self._predictions, self._catalogue = path, note, predictions, catalogue
        self._in_turn = threading.RLock()
        self._revision: int | None = None
        self._views: dict[str, tuple[str, str]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._patiently(lambda file: file.enable_wal())

    @classmethod
    def of(cls, settings: Settings, catalogue: Callable[[], pd.DataFrame]) -> "Reports":
        """The reports of the stream of ``settings``, rebuilt from its predictions where they differ.

        Raises OutputError if a report's query has read predictions that are gone.
        """
        require_predictions(settings.checkpoints)
        return cls(settings.reports, predictions=settings.predictions, catalogue=catalogue)

    def upsert(self, table: str, batch: DataFrame, key: tuple[str, ...] = ("transaction_id",)) -> None:
        """Replaces rows of ``table`` by window_start and ``key``. May run twice, and changes nothing the second time.

        In: a micro-batch with window (struct of start and end) and any further columns. The table gets window_start
        and window_end in place of window.
        """
        # windows as Unix seconds: a local datetime would be ambiguous in the hour that daylight saving repeats
        span = [F.col(f"window.{end}").cast("long").alias(f"window_{end}") for end in ("start", "end")]
        rows = [row.asDict() for row in batch.select(*span, *(c for c in batch.columns if c != "window")).collect()]
        for row in rows:
            row.update(window_start=utc(row["window_start"]), window_end=utc(row["window_end"]))
        if not rows:
            return

        def write(file: Database) -> None:
            new = table not in file.table_names()
            file[table].upsert_all(rows, pk=("window_start", *key))
            if new:
                self._create_views(file)
            self._sign(file)

        self._patiently(write)

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
            self._views[name] = (table, finished)
            self._create_views(file)

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
        """``work`` in a transaction of its own; waits visibly and retries while another program has the file locked."""
        began, noted = time.monotonic(), 0.0
        with self._in_turn:
            while True:
                try:
                    return self._once(work)
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) and "busy" not in str(error):
                        raise OutputError(
                            f"{self.path}: {error}. Free the file or its disk and start again."
                        ) from error
                    waited = time.monotonic() - began
                    if waited - noted > NOTE_EVERY_S:
                        noted = waited
                        self._note(f"{self.path.name} is locked by another program: waiting for {waited:.0f} s.")
                except sqlite3.DatabaseError as error:
                    if type(error) is not sqlite3.DatabaseError:  # its subclasses are no damage of the file
                        raise
                    aside = self.path.with_name(f"{self.path.name}.unreadable-{datetime.now():%Y%m%dT%H%M%S}")
                    self._note(f"{self.path}: {error}. Moved to {aside.name}.")
                    self.path.replace(aside)

    def _once(self, work: Callable[[Database], Result]) -> Result:
        if not self.path.exists():
            for suffix in ("-wal", "-shm"):  # of a deleted file: SQLite would apply them to the new one
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        with closing(sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S)) as connection, connection:
            file = Database(connection)
            if self._predictions is not None and (self._revision is None or _revision(file) != self._revision):
                self._restore(file)
            return work(file)

    def _restore(self, file: Database) -> None:
        """Rebuilds the file from the predictions if they differ; afterwards this object knows the file."""
        if wrong := wrong_windows(self.path, self._predictions):
            known = any(table in file.table_names() for table in KEYS)
            for table, rows in recounted(self._predictions).items():
                if table == "products_by_transaction" and self._catalogue is not None:
                    rows = rows.merge(self._catalogue(), on="product_id", how="left")
                file[table].drop(ignore=True)
                records = rows.astype(object).where(rows.notna(), None).to_dict("records")
                file[table].upsert_all(records, pk=KEYS[table])
            self._create_views(file)
            how = "did not match the predictions: rebuilt" if known else "computed from the predictions"
            self._note(f"{self.path.name}: {len(wrong):,} windows {how}.")
        self._sign(file)

    def _create_views(self, file: Database) -> None:
        for name, (table, query) in self._views.items():
            if table in file.table_names():
                file.create_view(name, query, replace=True)

    def _sign(self, file: Database) -> None:
        """Counts the changes, in the file and here: another file, or an older copy of this one, has another count."""
        if self._predictions is not None:
            self._revision = (self._revision or time.time_ns()) + 1
            file["revision"].upsert({"id": 0, "number": self._revision}, pk="id")


def finished(rows: pd.DataFrame, all_read: bool = False) -> pd.DataFrame:
    """``rows`` without unfinished windows, by the rule of the views; all rows if no window is finished.

    ``all_read``: no row can still arrive, so every window that has ended is finished.
    """
    if rows.empty:
        return rows
    silent = datetime.now(timezone.utc) - (timedelta() if all_read else SILENCE)
    ended = rows["window_end"] <= max(rows["window_start"].max(), silent.isoformat(timespec="seconds"))
    return rows[ended] if ended.any() else rows


def _revision(file: Database) -> int | None:
    return file["revision"].get(0)["number"] if "revision" in file.table_names() else None
