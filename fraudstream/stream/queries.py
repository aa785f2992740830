"""Starts, watches and stops the streaming queries of Task 2."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from fraudstream.errors import FraudstreamError
from fraudstream.schemas import PREDICTIONS
from fraudstream.stream.monitor import StreamMonitor
from fraudstream.stream.progress import reason

SOON_S, END_LIMIT_S = 0.1, 60
# a wait that does not end when it is interrupted (Java does not answer) is broken off at this one
BREAKS_OFF = 3


class Queries:
    """The queries of one notebook, by name: never two on one checkpoint, and each is watched by the monitor."""

    def __init__(self, spark: SparkSession, monitor: StreamMonitor) -> None:
        self._spark, self._monitor = spark, monitor
        self._writers: dict[str, DataStreamWriter] = {}

    def start(self, name: str, writer: DataStreamWriter) -> StreamingQuery:
        """Starts ``writer`` as ``name``. A query of that name, from an earlier run, is stopped first."""
        self._stop(name)
        query = writer.queryName(name).start()
        self._writers[name] = writer
        self._monitor.watch(query)
        return query

    def finish(self) -> None:
        """Stops all queries; then each report query processes what has arrived since its last trigger."""
        for name in self._writers:
            self._stop(name)
        for name, writer in list(self._writers.items()):
            if name != PREDICTIONS:
                wait_for_end(writer.queryName(name).trigger(availableNow=True).start())

    def _stop(self, name: str) -> None:
        for query in self._spark.streams.active:
            if query.name == name:
                query.stop()
                query.awaitTermination(END_LIMIT_S)


def wait_for_end(query: StreamingQuery) -> None:
    """Returns when ``query`` has ended by itself; raises FraudstreamError with the reason where that was an error.

    An interrupt ends the wait by KeyboardInterrupt, and the query continues.
    """
    with _interrupts() as interrupts:
        while query.isActive:
            if interrupts:
                raise KeyboardInterrupt
            time.sleep(SOON_S)
    failure = query.exception()
    if failure is not None:
        raise FraudstreamError(f"The query {query.name} stopped: {reason(failure)} (details in Spark's log, see 2.1).")


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Defers interrupts (Ctrl-C) inside the block: they are added to the list that it yields.

    An interrupt during a call to Java would make py4j close the connections of other threads as well, and the
    foreachBatch calls of running queries would never return.
    """
    heard: list[int] = []

    def hear(number: int, frame: object) -> None:
        heard.append(number)
        if len(heard) >= BREAKS_OFF:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)
