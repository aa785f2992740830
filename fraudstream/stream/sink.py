"""Predictions as parquet, each micro-batch in a directory of its own that appears at once and complete (2.6)."""

import json
from collections.abc import Collection, Iterator
from datetime import datetime, timezone

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from fraudstream.errors import OutputError
from fraudstream.storage import AnyPath

QUERY_FILE = "_query.json"
PART = "part-0.parquet"


def batch_file(folder: AnyPath, batch_id: int) -> AnyPath:
    """The one file of micro-batch ``batch_id``: Spark reads batch_id back as a partition column."""
    return folder / f"batch_id={batch_id}" / PART


def batch_files(folder: AnyPath, known: Collection[str] = ()) -> Iterator[AnyPath]:
    """The files of all micro-batches that are complete, except of those whose directories' names are ``known``."""
    files = (directory / PART for directory in folder.glob("batch_id=*") if directory.name not in known)
    return (file for file in files if file.exists())


def read_batch(file: AnyPath, columns: list[str]) -> pa.Table:
    """These columns of a micro-batch's file."""
    return pq.read_table(pa.BufferReader(file.read_bytes()), columns=columns)


def write_batch(table: pa.Table, folder: AnyPath, batch_id: int, even_if_empty: bool = False) -> bool:
    """Writes one micro-batch as one parquet file; True if it is new.

    A file that is there is final: a batch that Spark runs again after a crash changes nothing. It is written in a
    directory with a hidden name, which readers pass over, and this is renamed once. (To Spark a name that begins with
    an underscore is hidden only if there is no equals sign in it.)

    On a disk and on HDFS the directory appears at once with the file in it. An object store has no directories: there
    the rename is a copy of the one object, which appears last, at once and complete. So in all of them a batch is
    finished when its file is there, and no reader needs another mark.
    """
    final = batch_file(folder, batch_id)
    if final.exists() or (table.num_rows == 0 and not even_if_empty):
        return False
    hidden = folder / f"_unfinished-{batch_id}"
    hidden.mkdir(parents=True, exist_ok=True)
    for left in hidden.glob("*"):
        left.unlink()
    parquet = pa.BufferOutputStream()
    pq.write_table(table, parquet, compression="snappy")
    (hidden / PART).write_bytes(parquet.getvalue())
    hidden.rename(final.parent)
    return True


def stamped(table: pa.Table) -> pa.Table:
    """Adds predicted_at (timestamp, UTC): now, once all predictions of the micro-batch are computed."""
    now = pa.scalar(datetime.now(timezone.utc), pa.timestamp("us", tz="UTC"))
    return table.append_column("predicted_at", pa.repeat(now, table.num_rows))


class PredictionSink:
    """The foreachBatch function of 2.6: one directory a micro-batch, bound to the query that writes them.

    Spark calls it once a micro-batch, and again after a failure: the second call for a batch that was written changes
    nothing. An error here stops the query with that error, and the batch is computed again at the next start.
    """

    def __init__(self, folder: AnyPath, checkpoint: AnyPath) -> None:
        """Raises OutputError where ``folder`` and ``checkpoint`` do not belong together.

        A new checkpoint counts its batches from 0 again, and would take an older query's directories for its own.
        """
        self.folder, self.checkpoint = folder, checkpoint
        self._bound = False
        query, writer = _query_id(checkpoint / "metadata", "id"), _query_id(folder / QUERY_FILE, "query_id")
        batches = next(folder.glob("batch_id=*"), None)
        commits = next((checkpoint / "commits").glob("[0-9]*"), None)
        remedy = "Start afresh with: python -m fraudstream reset (it moves both to earlier/)."
        if query is None and (batches or writer):
            raise OutputError(f"{folder} holds predictions, but their checkpoint {checkpoint} is gone. {remedy}")
        if query and writer != query and (writer or batches or commits):
            raise OutputError(f"{folder} does not hold the predictions of the query of {checkpoint}. {remedy}")

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        if not self._bound:
            self._bind()
        write_batch(stamped(batch.toArrow()), self.folder, batch_id)

    def _bind(self) -> None:
        """Leaves the query's id beside its predictions before the first of them; one that is there is the same."""
        query = _query_id(self.checkpoint / "metadata", "id")
        if not (self.folder / QUERY_FILE).exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = self.folder / f"{QUERY_FILE}.unfinished"
            unfinished.write_text(json.dumps({"query_id": query}) + "\n")
            unfinished.rename(self.folder / QUERY_FILE)
        self._bound = True


def _query_id(file: AnyPath, key: str) -> str | None:
    """The query's id in a JSON file; None without the file."""
    return json.loads(file.read_text())[key] if file.exists() else None
