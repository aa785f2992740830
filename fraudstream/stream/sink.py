"""The idempotent foreachBatch sink of 2.6, bound to the query whose checkpoint numbers its micro-batches."""

import json
from datetime import datetime, timezone

import pyarrow as pa
from pyspark.sql import DataFrame

from fraudstream.errors import OutputError
from fraudstream.storage import AnyPath
from fraudstream.stream.store import write_batch

QUERY_FILE = "_query.json"


def stamped(table: pa.Table) -> pa.Table:
    """Adds predicted_at (timestamp, UTC): the time when all predictions of the micro-batch are computed."""
    now = pa.scalar(datetime.now(timezone.utc), pa.timestamp("us", tz="UTC"))
    return table.append_column("predicted_at", pa.repeat(now, table.num_rows))


class PredictionSink:
    """The foreachBatch function of 2.6: one directory per micro-batch, bound to the query that writes them.

    Spark calls it at least once per micro-batch, and again after a failure: a second call for a batch that was written
    changes nothing. An error here stops the query, and the next start computes the batch again.
    """

    def __init__(self, folder: AnyPath, checkpoint: AnyPath) -> None:
        """Raises OutputError if ``folder`` and ``checkpoint`` do not belong together.

        A new checkpoint numbers its batches from 0 again, and would take an older query's directories for its own.
        """
        self.folder, self.checkpoint = folder, checkpoint
        self._bound = False
        query, writer = _query_id(checkpoint / "metadata", "id"), _query_id(folder / QUERY_FILE, "query_id")
        batches = next(folder.glob("batch_id=*"), None)
        commits = next((checkpoint / "commits").glob("[0-9]*"), None)
        remedy = "Start over with: python -m fraudstream reset (it moves both to earlier/)."
        if query is None and (batches or writer):
            raise OutputError(f"{folder} holds predictions, but their checkpoint {checkpoint} is gone. {remedy}")
        if query and writer != query and (writer or batches or commits):
            raise OutputError(f"{folder} does not hold the predictions of the query of {checkpoint}. {remedy}")

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        if not self._bound:
            self._bind()
        write_batch(stamped(batch.toArrow()), self.folder, batch_id)

    def _bind(self) -> None:
        """Writes the query's id to the folder before the first prediction; an existing one is the same."""
        query = _query_id(self.checkpoint / "metadata", "id")
        if not (self.folder / QUERY_FILE).exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = self.folder / f"{QUERY_FILE}.unfinished"
            unfinished.write_text(json.dumps({"query_id": query}) + "\n")
            unfinished.rename(self.folder / QUERY_FILE)
        self._bound = True


def _query_id(file: AnyPath, key: str) -> str | None:
    """The query's id from a JSON file; None without the file."""
    return json.loads(file.read_text())[key] if file.exists() else None
