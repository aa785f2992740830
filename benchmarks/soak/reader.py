"""Looks at the results all the while, as another program would: nothing is ever half there, changes, or shrinks."""

import sqlite3
import threading
import time
from contextlib import closing
from hashlib import sha256

from fraudstream.errors import OutputError
from fraudstream.settings import Settings
from fraudstream.storage.hadoop import AnyPath
from fraudstream.stream.recount import WINDOWS
from fraudstream.stream.store import PART, read_batch

EVERY_S = 0.25
# files that are hashed again at each look, so that a change is seen soon
AGAIN = 20


class Reader(threading.Thread):
    """``looks``: how often it has looked; ``violations``: what no reader may see."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self._over = threading.Event()
        self._hashes: dict[int, str] = {}
        self._rows: dict[str, int] = {}
        self.looks = self.locked = 0
        self.violations: list[str] = []
        self.batch_seen_at: dict[int, float] = {}

    def run(self) -> None:
        while not self._over.wait(EVERY_S):
            self._look_at_predictions()
            self._look_at_reports()
            self.looks += 1

    def finish(self) -> None:
        """Ends the thread after one last look at every file."""
        self._over.set()
        self.join()
        for number, before in self._hashes.items():
            if self._hash(self._file(number)) != before:
                self.violations.append(f"micro-batch {number} has changed")

    def _look_at_predictions(self) -> None:
        numbers = sorted(int(path.name.split("=")[1]) for path in self._settings.predictions.glob("batch_id=*"))
        if gone := set(self._hashes) - set(numbers):
            self.violations.append(f"micro-batches {sorted(gone)} have vanished")
        for number in numbers:
            if number not in self._hashes:
                self._first_look(number)
        for number in list(self._hashes)[-AGAIN:]:
            if self._hash(self._file(number)) != self._hashes[number]:
                self.violations.append(f"micro-batch {number} has changed")

    def _first_look(self, number: int) -> None:
        self.batch_seen_at[number] = time.time()
        try:
            self._hashes[number] = self._hash(self._file(number))
            if read_batch(self._file(number), ["transaction_id", "prediction"]).num_rows == 0:
                self.violations.append(f"micro-batch {number} is empty")
        except (OSError, OutputError) as error:
            self.violations.append(f"half of micro-batch {number}: {error}")

    def _look_at_reports(self) -> None:
        """A window's transactions never get fewer: revised predictions replace rows."""
        if not self._settings.reports.exists():
            return
        try:
            with closing(sqlite3.connect(f"file:{self._settings.reports}?mode=ro", uri=True, timeout=5)) as file:
                there = {name for (name,) in file.execute("select name from sqlite_master where type = 'table'")}
                for table in there & set(WINDOWS):
                    (rows,) = file.execute(f"select count(*) from {table}").fetchone()
                    if rows < self._rows.get(table, 0):
                        self.violations.append(f"{table} shrank from {self._rows[table]} to {rows} rows")
                    self._rows[table] = rows
        except sqlite3.OperationalError as error:
            self.locked += 1
            if "locked" not in str(error) and "unable to open" not in str(error):
                self.violations.append(f"reports: {error}")

    def _file(self, number: int) -> AnyPath:
        return self._settings.predictions / f"batch_id={number}" / PART

    def _hash(self, file: AnyPath) -> str:
        return sha256(file.read_bytes()).hexdigest()
