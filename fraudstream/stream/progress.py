"""Progress of one query as reported by its micro-batches: input rate, duration, state; zero if nothing arrives."""

import time
from collections.abc import Callable

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql.streaming.listener import StreamingQueryProgress
from pyspark.sql.streaming.query import StreamingQuery

from fraudstream.stream.checkpoint import parse_offsets

COLUMNS = {
    "query": "object",
    "state": "object",
    "micro-batch": "Int64",
    "rows/s": "Float64",
    "duration ms": "Int64",
    "rows late": "Int64",
    "state rows": "Int64",
    "state MB": "Float64",
}
DEDUPLICATION = "dedupeWithinWatermark"
# rates are current: 0 after this long without a micro-batch, if that is longer than the trigger interval
RATE_OF_S = 90


class QueryProgress:
    """The newest micro-batch of one query, and sums over all of them since the notebook started."""

    def __init__(self, query: StreamingQuery, clock: Callable[[], float] = time.time) -> None:
        self.query, self.name, self._clock = query, query.name, clock
        self.newest: StreamingQueryProgress | None = None
        self.late = 0
        self.active = True
        self.failure = ""
        self.changed_at = 0.0
        self.stopped_at: float | None = None
        self._rows = 0

    def refresh(self) -> None:
        """Processes the micro-batches since the last call, and checks whether the query is still running."""
        try:
            self._refresh()
        except (Py4JError, PySparkException, ConnectionError) as error:
            self._stopped(f"the query {self.name} ended together with Spark ({type(error).__name__})")

    def _refresh(self) -> None:
        if self.active and not self.query.isActive:
            failure = self.query.exception()
            self._stopped(f"the query {self.name} stopped: {reason(failure)}" if failure else "")
        progress, seen = self.query.lastProgress, self.newest.batchId if self.newest else -1
        if progress is None or progress.batchId == seen:
            return
        if progress.numInputRows and progress.batchId == seen + 1:
            self._take(progress)
        elif progress.batchId > seen + 1:  # between two micro-batches, Spark reports the next one without rows
            for each in self.query.recentProgress:  # a hundred are kept
                if each.numInputRows and each.batchId > seen:
                    self._take(each)

    def _stopped(self, failure: str) -> None:
        self.failure = self.failure or failure
        if self.active:
            self.active, self.stopped_at = False, self._clock()

    def _take(self, progress: StreamingQueryProgress) -> None:
        states = progress.stateOperators
        through = [state.numRowsUpdated for state in states if state.operatorName == DEDUPLICATION]
        self.late += sum(state.numRowsDroppedByWatermark for state in states)
        # a Kafka message contains a whole batch: rows are counted further down the plan
        self._rows = sum(through) if through else progress.numInputRows
        self.newest, self.changed_at = progress, self._clock()

    @property
    def offsets(self) -> dict[str, dict[int, int]] | None:
        """Topic -> partition -> the first offset not read by a finished micro-batch; None before the first."""
        if self.newest is None:
            return None
        return parse_offsets(source.endOffset for source in self.newest.sources if source.endOffset)

    def row(self) -> tuple:
        """The values of COLUMNS."""
        if self.newest is None:
            return (self.name, "running" if self.active else "stopped", *[None] * (len(COLUMNS) - 2))
        newest, states = self.newest, self.newest.stateOperators
        now_s = self._clock() - self.changed_at
        fresh = self.active and now_s < RATE_OF_S
        return (
            self.name,
            "stopped" if not self.active else "running" if fresh else f"idle for {now_s / 60:.0f} min",
            newest.batchId,
            newest.inputRowsPerSecond * self._rows / newest.numInputRows if fresh else 0.0,
            newest.durationMs["triggerExecution"],
            self.late if states else None,
            sum(state.numRowsTotal for state in states) if states else None,
            sum(state.memoryUsedBytes for state in states) / 1e6 if states else None,
        )


def reason(failure: BaseException) -> str:
    """The line with the reason: an error raised in foreachBatch follows the indented traceback."""
    first, *others = str(failure).strip().splitlines()
    return next((line for line in others if not line.startswith(" ")), first) if "Traceback" in first else first
