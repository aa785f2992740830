"""The idempotent foreachBatch sink of 2.6, bound to the query whose checkpoint numbers its micro-batches.

``publish.publish`` makes a micro-batch visible.
"""

import json
from datetime import datetime, timezone
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from fraudstream.errors import Note, OutputError, command
from fraudstream.kafka.topic_guard import TopicGuard
from fraudstream.storage.hadoop import AnyPath
from fraudstream.stream.checkpoint import query_id, say_where_it_starts
from fraudstream.stream.explanations import Explanations
from fraudstream.stream.publish import publish

# file of the query id in earlier versions; some readers fail on files that are not parquet
OLD_QUERY_FILE = "_query.json"


def query_file(folder: AnyPath) -> AnyPath:
    """Holds the id of the query that writes ``folder``; next to it, so that every reader of parquet can read it."""
    return folder.parent / f"{folder.name}.query.json"


def stamped(table: pa.Table, explanations: Explanations | None = None) -> pa.Table:
    """Adds predicted_at (timestamp, UTC): now, when all predictions of the micro-batch are computed and explained.

    With ``explanations``, their columns follow: model_version, alert_threshold, base_value, reasons.
    """
    added = explanations.columns(table) if explanations else {}
    now = pa.scalar(datetime.now(timezone.utc), pa.timestamp("us", tz="UTC"))
    table = table.append_column("predicted_at", pa.repeat(now, table.num_rows))
    for name, column in added.items():
        table = table.append_column(name, column)
    return table


class PredictionSink:
    """The foreachBatch function of 2.6: one directory per micro-batch, bound to the query that writes them.

    Spark calls it once per micro-batch, and again after a failure: the second call for a batch that was written changes
    nothing. An error here stops the query with that error, and the batch is computed again at the next start.
    """

    def __init__(
        self, folder: AnyPath, checkpoint: AnyPath, guard: TopicGuard | None = None, note: Note = print
    ) -> None:
        """Prints where the query starts. ``guard`` is asked before each publication: of ``require_same_topics``.

        Raises OutputError if ``folder`` and ``checkpoint`` do not belong together.

        A new checkpoint counts its batches from 0 again, and would mistake an older query's directories for its own.
        """
        self.folder, self.checkpoint, self._guard = folder, checkpoint, guard
        self._bound = False
        query = query_id(checkpoint)
        writer = _writer(query_file(folder)) or _writer(folder / OLD_QUERY_FILE)
        batches = next(folder.glob("batch_id=*"), None)
        commits = next((checkpoint / "commits").glob("[0-9]*"), None)
        remedy = f"Start over with: {command('reset')} (it moves both to earlier/)."
        if query is None and (batches or writer):
            raise OutputError(f"{folder} holds predictions, but their checkpoint {checkpoint} is gone. {remedy}")
        if query and writer != query and (writer or batches or commits):
            raise OutputError(f"{folder} does not hold the predictions of the query of {checkpoint}. {remedy}")
        say_where_it_starts(checkpoint, note)
        folder.mkdir(parents=True, exist_ok=True)  # Spark reads a folder without predictions, but none that is missing

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        """The foreachBatch function: writes the micro-batch as parquet and publishes it."""
        rows, parquet = stamped(batch.toArrow()), BytesIO()
        pq.write_table(rows, parquet)
        self.publish(batch_id, parquet.getvalue(), rows.num_rows)

    def publish(self, batch_id: int, parquet: bytes, rows: int) -> None:
        """Makes ``parquet``, a file of so many rows, that of the micro-batch; idempotent. Without rows, nothing.

        Raises BrokerError if other topics than the checkpoint's answer at Kafka's address: the rows may be theirs.
        """
        if self._guard:
            self._guard.require()
        if not self._bound:
            self._bind()
        if rows:
            publish(parquet, self.folder, batch_id)

    def _bind(self) -> None:
        """Writes the query's id before the first predictions; an existing file has the same id."""
        file = query_file(self.folder)
        if not file.exists():
            unfinished = file.parent / f".{file.name}.unfinished"
            unfinished.write_text(json.dumps({"query_id": query_id(self.checkpoint)}) + "\n")
            unfinished.rename(file)
        self._bound = True


def _writer(file: AnyPath) -> str | None:
    """The id of the query that wrote the predictions; None without the file."""
    return json.loads(file.read_text())["query_id"] if file.exists() else None
