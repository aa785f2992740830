"""What each query of Task 2 says of itself: rows, durations, offsets behind, rows late, state."""

from collections.abc import Iterable

import pandas as pd
from pyspark.sql.streaming.query import StreamingQuery

COLUMNS = (
    "query",
    "micro-batch",
    "rows/s in",
    "micro-batch ms",
    "offsets behind",
    "rows late",
    "state rows",
    "state MB",
)


def health(queries: Iterable[StreamingQuery]) -> pd.DataFrame:
    """One row a query, of its newest micro-batch with rows; COLUMNS. rows late are added up over the kept progress."""
    return pd.DataFrame([_row(query) for query in queries], columns=COLUMNS)


def _row(query: StreamingQuery) -> tuple:
    progress = [one for one in query.recentProgress if one.numInputRows]
    if not progress:
        return (query.name, "none yet", *[""] * (len(COLUMNS) - 2))
    newest = progress[-1]
    states = newest.stateOperators
    late = sum(state.numRowsDroppedByWatermark for one in progress for state in one.stateOperators)
    behind = [source.metrics.get("maxOffsetsBehindLatest") for source in newest.sources]
    return (
        query.name,
        newest.batchId,
        f"{newest.inputRowsPerSecond:,.0f}",
        f"{newest.durationMs['triggerExecution']:,}",
        sum(int(offsets) for offsets in behind if offsets is not None),
        late,
        f"{sum(state.numRowsTotal for state in states):,}",
        f"{sum(state.memoryUsedBytes for state in states) / 1e6:.1f}",
    )
