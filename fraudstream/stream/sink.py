"""The idempotent foreachBatch sink of 2.6, bound to the query whose checkpoint numbers its micro-batches."""

import json
from datetime import datetime, timezone

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from fraudstream.errors import OutputError, command
from fraudstream.storage import AnyPath
from fraudstream.stream.store import batch_files, publish, with_batch_id, write_batch

# A parquet file without rows, so that a reader that takes every file of the folder reads it, too
QUERY_FILE, QUERY_ID = "_query.parquet", b"fraudstream.query_id"
# what earlier versions left in the folder
OLD_FORMAT = ("_query.json", "batch_id=*")


def stamped(table: pa.Table) -> pa.Table:
    """Adds predicted_at (timestamp, UTC): now, when all predictions of the micro-batch are computed."""
    now = pa.scalar(datetime.now(timezone.utc), pa.timestamp("us", tz="UTC"))
    return table.append_column("predicted_at", pa.repeat(now, table.num_rows))


class PredictionSink:
    """The foreachBatch function of 2.6: one file per micro-batch, bound to the query that writes them.

    Spark calls it once per micro-batch, and again after a failure: the second call for a batch that was written changes
    nothing. An error here stops the query with that error, and the batch is computed again at the next start.
    """

    def __init__(self, folder: AnyPath, checkpoint: AnyPath) -> None:
        """Raises OutputError if ``folder`` and ``checkpoint`` do not belong together.

        A new checkpoint counts its batches from 0 again, and would take an older query's files for its own.
        """
        self.folder, self.checkpoint = folder, checkpoint
        self._bound = False
        remedy = f"Start over with: {command('reset')} (it moves both to earlier/)."
        if any(next(folder.glob(pattern), None) for pattern in OLD_FORMAT):
            raise OutputError(f"{folder} holds predictions in the format of an earlier version. {remedy}")
        query, writer = _query_id(checkpoint), _writer_id(folder)
        batches = next(batch_files(folder), None)
        commits = next((checkpoint / "commits").glob("[0-9]*"), None)
        if query is None and (batches or writer):
            raise OutputError(f"{folder} holds predictions, but their checkpoint {checkpoint} is gone. {remedy}")
        if query and writer != query and (writer or batches or commits):
            raise OutputError(f"{folder} does not hold the predictions of the query of {checkpoint}. {remedy}")

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        table = stamped(batch.toArrow())
        if not self._bound:
            self._bind(table)
        write_batch(table, self.folder, batch_id)

    def _bind(self, table: pa.Table) -> None:
        """Leaves the query's id with its predictions before the first of them; one that is there is the same."""
        if not (self.folder / QUERY_FILE).exists():
            no_rows = with_batch_id(table.slice(0, 0), 0)
            query = str(_query_id(self.checkpoint)).encode()
            publish(no_rows.replace_schema_metadata({QUERY_ID: query}), self.folder / QUERY_FILE)
        self._bound = True


def _query_id(checkpoint: AnyPath) -> str | None:
    """The id of the query of ``checkpoint``; None before its first start."""
    file = checkpoint / "metadata"
    return json.loads(file.read_text())["id"] if file.exists() else None


def _writer_id(folder: AnyPath) -> str | None:
    """The id of the query that wrote the predictions in ``folder``; None where none has."""
    file = folder / QUERY_FILE
    if not file.exists():
        return None
    return pq.read_schema(pa.BufferReader(file.read_bytes())).metadata[QUERY_ID].decode()
