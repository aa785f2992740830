"""What each query of Task 2 says of itself, and how old its predictions are: the numbers of one live panel."""

from collections import deque
from collections.abc import Sequence

import numpy as np
import pandas as pd
from pyspark.sql.streaming.listener import StreamingQueryProgress
from pyspark.sql.streaming.query import StreamingQuery

from fraudstream.storage import AnyPath
from fraudstream.stream.store import batch_file, batch_files, read_batch

COLUMNS = {
    "query": "object",
    "micro-batch": "Int64",
    "rows/s in": "Float64",
    "ms": "Int64",
    "offsets behind": "Int64",
    "rows late": "Int64",
    "state rows": "Int64",
    "state MB": "Float64",
}
RECENT_BATCHES = 60
DEDUPLICATION = "dedupeWithinWatermark"


class QueryMonitor:
    """One query, as the progress of its micro-batches tells it: the newest one's numbers, and sums over all of them."""

    def __init__(self, query: StreamingQuery) -> None:
        self.query = query
        self.newest: StreamingQueryProgress | None = None
        self.first: int | None = None
        self.late = 0
        # rows that each de-duplication has let through, in the order of the plan
        self.let_through: list[int] = []
        self._rows = 0

    def look(self) -> None:
        """Takes in the micro-batches since the last look: one question to Spark, unless some were missed."""
        progress, seen = self.query.lastProgress, self.newest.batchId if self.newest else -1
        if progress is None or progress.batchId == seen:
            return
        if progress.numInputRows and progress.batchId == seen + 1:
            self._take(progress)
        elif progress.batchId > seen + 1:  # between two micro-batches, Spark tells of the next one, without rows
            for each in self.query.recentProgress:  # a hundred are kept
                if each.numInputRows and each.batchId > seen:
                    self._take(each)

    def _take(self, progress: StreamingQueryProgress) -> None:
        states = progress.stateOperators
        let_through = [state.numRowsUpdated for state in states if state.operatorName == DEDUPLICATION]
        before = self.let_through or [0] * len(let_through)
        self.let_through = [total + more for total, more in zip(before, let_through, strict=True)]
        self.late += sum(state.numRowsDroppedByWatermark for state in states)
        # a Kafka message holds a whole batch: its rows are counted where they pass
        self._rows = sum(let_through) if let_through else progress.numInputRows
        self.first = progress.batchId if self.first is None else self.first
        self.newest = progress

    def row(self) -> tuple:
        """The values of COLUMNS."""
        if self.newest is None:
            return (self.query.name, *[None] * (len(COLUMNS) - 1))
        newest, states = self.newest, self.newest.stateOperators
        behind = [source.metrics.get("maxOffsetsBehindLatest") for source in newest.sources]
        return (
            self.query.name,
            newest.batchId,
            newest.inputRowsPerSecond * self._rows / newest.numInputRows,
            newest.durationMs["triggerExecution"],
            sum(int(offsets) for offsets in behind) if all(behind) else None,
            self.late if states else None,
            sum(state.numRowsTotal for state in states) if states else None,
            sum(state.memoryUsedBytes for state in states) / 1e6 if states else None,
        )


class StreamMonitor:
    """All queries of Task 2. Counts begin with the micro-batches that Spark still tells of when this is made."""

    def __init__(self, queries: Sequence[StreamingQuery], predictions: AnyPath, quarantine: AnyPath) -> None:
        """``queries``: the one that writes ``predictions`` first. ``quarantine``: the folder of the rejected rows."""
        self._queries = [QueryMonitor(query) for query in queries]
        self._predictions, self._quarantine = predictions, quarantine
        self._seconds: deque[np.ndarray] = deque(maxlen=RECENT_BATCHES)
        self._predicted: set[str] = set()
        self._imputed: set[str] = set()
        self._read_up_to: int | None = None
        self._rejected: dict[str, int] = {}

    def look(self) -> tuple[pd.DataFrame, dict[str, str]]:
        """One row a query (COLUMNS), and what is said of the whole stream, name -> value. Reads what is new, only."""
        for query in self._queries:
            query.look()
        self._read_predictions()
        self._count_rejected()
        rows = pd.DataFrame([query.row() for query in self._queries], columns=list(COLUMNS))
        return rows.astype(COLUMNS), self._facts()

    def _facts(self) -> dict[str, str]:
        main = self._queries[0]
        seconds = np.concatenate(self._seconds) if self._seconds else np.array([])
        p50, p95 = (f"{np.percentile(seconds, p):.1f} s" if len(seconds) else "none yet" for p in (50, 95))
        arrived = main.let_through[0] if main.let_through else 0  # the plan reads the transactions first
        return {
            "ts to prediction, median": p50,
            "95 %": p95,
            "predicted": f"{len(self._predicted):,}",
            "imputed": f"{len(self._imputed):,}",
            "unmatched so far": f"{max(0, arrived - len(self._predicted)):,}",
            "late": f"{main.late:,}",
            "quarantined": f"{sum(self._rejected.values()):,}",
        }

    def _read_predictions(self) -> None:
        """Takes in the files of the micro-batches since the last look; one without transactions has none."""
        main = self._queries[0]
        if main.newest is None:
            return
        begin = main.first if self._read_up_to is None else self._read_up_to + 1
        for file in (batch_file(self._predictions, batch) for batch in range(begin, main.newest.batchId + 1)):
            if file.exists():
                table = read_batch(file, ["transaction_id", "ts", "imputed"])
                predicted, imputed = table["transaction_id"].to_pylist(), table["imputed"].to_pylist()
                self._predicted.update(predicted)
                self._imputed.difference_update(predicted)  # the newest prediction counts
                self._imputed.update(key for key, columns in zip(predicted, imputed, strict=True) if columns)
                self._seconds.append(file.stat().st_mtime - table["ts"].to_numpy())
        self._read_up_to = main.newest.batchId

    def _count_rejected(self) -> None:
        for file in batch_files(self._quarantine, known=self._rejected):
            self._rejected[file.parent.name] = read_batch(file, ["topic"]).num_rows
