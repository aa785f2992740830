"""Starting, waiting for and stopping the streaming queries of Task 2."""

import math
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from fraudstream.errors import FraudstreamError, Note
from fraudstream.storage import AnyPath
from fraudstream.stream.checkpoint import newest_commit

LOOK_EVERY_S, SOON_S = 0.5, 0.1
REMIND_EVERY_S = 30
# Task 1 may be started later than this: the first message has ten times as long to come as any other
FIRST_PATIENCE = 10
# a wait that does not end when it is interrupted (Java does not answer) is broken off at this one
BREAKS_OFF = 3


def stop_namesake(spark: SparkSession, name: str) -> None:
    """Stops the running query called ``name``, if any: a cell that is run twice never has two on one checkpoint."""
    for query in spark.streams.active:
        if query.name == name:
            _stop(query)


def say_where_it_starts(checkpoint: AnyPath, note: Note = print) -> None:
    """Says whether a query goes on from its checkpoint or begins with the first message."""
    commit = newest_commit(checkpoint)
    if commit is not None:
        note(
            f"Goes on after micro-batch {commit} of {checkpoint}. "
            "To start afresh: python -m fraudstream reset (nothing is deleted, it moves to earlier/)."
        )
    else:
        note("Starts with the first message of both topics.")


def wait_for_first(folder: AnyPath, query: StreamingQuery, idle_s: float | None = None, note: Note = print) -> bool:
    """Waits until ``query`` has written a first batch to ``folder``; False when none came (FIRST_PATIENCE, ``idle_s``).

    Raises FraudstreamError with the query's reason when it stops meanwhile. Ctrl-C (interrupt) ends the wait.
    """
    began = reminded = time.monotonic()
    limit_s = math.inf if idle_s is None else FIRST_PATIENCE * idle_s
    with _interrupts() as interrupts:
        while not any(folder.glob("batch_id=*")):
            raise_if_failed(query)
            now = time.monotonic()
            if interrupts:
                note("Interrupted: not waiting any longer.")
                return False
            if now - began > limit_s and not _busy(query):
                note(f"No prediction within {limit_s:g} s: no transaction has arrived.")
                return False
            if now - reminded > REMIND_EVERY_S:
                note("Waiting for the first transactions: run Task 1 meanwhile.")
                reminded = now
            time.sleep(LOOK_EVERY_S)
    return True


def wait_until_idle(
    queries: Sequence[StreamingQuery],
    idle_s: float | None,
    each_look: Callable[[], None] = lambda: None,
    note: Note = print,
) -> None:
    """Returns when the first of ``queries`` has had nothing to do for ``idle_s`` seconds; without a limit, when
    interrupted.

    ``each_look`` is called twice a second. Raises FraudstreamError with the reason when one of them stops by itself.
    """
    query, seen, since = queries[0], None, time.monotonic()
    with _interrupts() as interrupts:
        while not interrupts:
            for each in queries:
                raise_if_failed(each)
            each_look()
            rows = _batch_with_rows(query, seen)
            if rows != seen or _busy(query):
                seen, since = rows, time.monotonic()
            if idle_s is not None and time.monotonic() - since > idle_s:
                note(f"No new message for {idle_s:g} s: the stream ends here.")
                return
            time.sleep(LOOK_EVERY_S)
    note("Interrupted: the stream ends here; run the notebook again to go on from its checkpoint.")


def wait_for_end(query: StreamingQuery) -> None:
    """Returns when ``query`` has ended by itself; raises FraudstreamError with the reason where that was an error.

    An interrupt ends the wait by KeyboardInterrupt, and the query goes on.
    """
    with _interrupts() as interrupts:
        while query.isActive:
            if interrupts:
                raise KeyboardInterrupt
            time.sleep(SOON_S)
    raise_if_failed(query)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """While entered, an interrupt (Ctrl-C) does not break in: it is added to the list that is handed over.

    One that comes in the middle of a call to Java makes py4j close the connections of other threads, too: the running
    queries' foreachBatch would never return.
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


def stop_all(queries: Iterable[StreamingQuery]) -> None:
    """Stops each query and waits until it has."""
    for query in queries:
        _stop(query)


def _stop(query: StreamingQuery) -> None:
    query.stop()
    query.awaitTermination(60)


def raise_if_failed(query: StreamingQuery) -> None:
    """Raises FraudstreamError with one line when ``query`` has ended with an error."""
    failure = query.exception()
    if failure is not None:
        raise FraudstreamError(
            f"The query {query.name} stopped: {_reason(failure)} (details in the log that 2.1 names)."
        )


def _reason(failure: BaseException) -> str:
    """The line that says why: what foreachBatch's function raised stands below its indented traceback."""
    first, *others = str(failure).strip().splitlines()
    return next((line for line in others if not line.startswith(" ")), first) if "Traceback" in first else first


def _busy(query: StreamingQuery) -> bool:
    return query.status["isTriggerActive"] and query.status["isDataAvailable"]


def _batch_with_rows(query: StreamingQuery, seen: int | None) -> int | None:
    """The newest micro-batch that read rows; ``seen`` if the newest read none. recentProgress would ask a hundred."""
    progress = query.lastProgress
    return progress.batchId if progress and progress.numInputRows else seen
