"""Predictions as parquet, each micro-batch in a directory of its own that appears at once and complete (2.6)."""

import json
import shutil
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from fraudstream.errors import OutputError

QUERY_FILE = "_query.json"


def batch_dir(folder: Path, batch_id: int) -> Path:
    """Where micro-batch ``batch_id`` lies: Spark reads batch_id back as a partition column."""
    return folder / f"batch_id={batch_id}"


def write_batch(table: pa.Table, folder: Path, batch_id: int, even_if_empty: bool = False) -> bool:
    """Writes one micro-batch as one parquet file; True if it is new.

    A directory that is there is final: a batch that Spark runs again after a crash changes nothing. The file is
    written under a hidden name, which readers pass over, and renamed once. (To Spark a name that begins with an
    underscore is hidden only if there is no equals sign in it.)
    """
    final = batch_dir(folder, batch_id)
    if final.exists() or (table.num_rows == 0 and not even_if_empty):
        return False
    hidden = folder / f"_unfinished-{batch_id}"
    if hidden.exists():
        shutil.rmtree(hidden)
    hidden.mkdir(parents=True)
    pq.write_table(table, hidden / "part-0.parquet", compression="snappy")
    hidden.rename(final)
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

    def __init__(self, folder: Path, checkpoint: Path) -> None:
        """Raises OutputError where ``folder`` and ``checkpoint`` do not belong together.

        A new checkpoint counts its batches from 0 again, and would take an older query's directories for its own.
        """
        self.folder, self.checkpoint = folder, checkpoint
        self._bound = False
        query, writer = _query_id(checkpoint / "metadata", "id"), _query_id(folder / QUERY_FILE, "query_id")
        batches = next(folder.glob("batch_id=*"), None)
        commits = next((checkpoint / "commits").glob("[0-9]*"), None)
        remedy = "Start afresh with: python -m fraudstream reset (it moves both to output/earlier)."
        if query is None and (batches or writer):
            raise OutputError(f"{folder} holds predictions, but their checkpoint {checkpoint} is gone. {remedy}")
        if query and writer != query and (writer or batches or commits):
            raise OutputError(f"{folder} does not hold the predictions of the query of {checkpoint}. {remedy}")

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        if not self._bound:
            self._bind()
        write_batch(stamped(batch.toArrow()), self.folder, batch_id)

    def _bind(self) -> None:
        """Leaves the query's id beside its predictions before the first of them."""
        query = _query_id(self.checkpoint / "metadata", "id")
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f"{QUERY_FILE}.unfinished"
        unfinished.write_text(json.dumps({"query_id": query}) + "\n")
        unfinished.replace(self.folder / QUERY_FILE)
        self._bound = True


def _query_id(file: Path, key: str) -> str | None:
    """The query's id in a JSON file; None without the file."""
    return json.loads(file.read_text())[key] if file.exists() else None
