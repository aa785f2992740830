"""The live page of Task 2: one status line, alerts and health, refreshed by a thread for as long as the kernel lives.

The outputs are widgets whose state is in the kernel: after a reload, or in a second tab, they show the current state.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from fraudstream.errors import FraudstreamError, Note
from fraudstream.notebook.live import LiveOutput, LiveStatus, LiveTable
from fraudstream.settings import FIRST_MESSAGE_FACTOR, MELBOURNE
from fraudstream.stream.alerts import AlertPublisher
from fraudstream.stream.live_accuracy import LiveAccuracy
from fraudstream.stream.monitor import Snapshot, StreamMonitor

EVERY_S, LOOK_EVERY_S, REMIND_EVERY_S = 2.0, 0.25, 30


class Panel:
    """Keeps the status line, the alerts and the health table up to date from a thread of its own, one per kernel."""

    _current: "Panel | None" = None

    def __init__(self, monitor: StreamMonitor, status: LiveStatus, every_s: float = EVERY_S) -> None:
        if Panel._current is not None:  # the cell that makes it was run again
            Panel._current.close()
        Panel._current = self
        self.monitor, self._status, self._every_s = monitor, status, every_s
        self.snapshot: Snapshot | None = None
        self._error: Exception | None = None
        self._outputs: list[Callable[[Snapshot], None]] = [lambda now: _show_status(status, now)]
        self._live: list[LiveOutput] = [status]
        self._stop, self._thread = threading.Event(), threading.Thread(target=self._run, daemon=True, name="panel")
        self._thread.start()

    def show_alerts(self, publisher: AlertPublisher | None = None) -> LiveTable:
        """A table of the newest frauds, newest first, under the headline of the last two minutes.

        ``publisher``: its status is part of the headline.
        """
        table = LiveTable("Newest frauds", shown=10)

        def show(now: Snapshot) -> None:
            said = f" \u00b7 {publisher.status}" if publisher else ""
            table.show(now.alerts, headline=f"{now.headline}{said}")

        self._outputs.append(show)
        self._live.append(table)
        return table

    def show_accuracy(self, live: LiveAccuracy) -> LiveTable:
        """Precision, recall and area under the precision-recall curve as labels come in, beside the training's."""
        table = LiveTable("Accuracy from late labels")

        def show(now: Snapshot) -> None:
            rows, verdict = live.shown()
            table.show(rows, headline=verdict)

        self._outputs.append(show)
        self._live.append(table)
        return table

    def show_health(self) -> LiveTable:
        """One row per query, and above them the figures of the whole stream."""
        table = LiveTable("Stream health")
        self._outputs.append(lambda now: table.show(now.queries, facts=now.facts))
        self._live.append(table)
        return table

    async def wait_for_first(self, idle_s: float | None, note: Note = print) -> bool:
        """Waits for the first prediction; False when none came within ten times ``idle_s``, or when interrupted."""
        return await self._wait(self._predicted, self._limit(idle_s, first=True), "No transaction has arrived.", note)

    async def wait_until_idle(self, idle_s: float | None, note: Note = print) -> None:
        """Returns after ``idle_s`` seconds without a message, once all are read; None: only when interrupted."""

        def idle(quiet_s: float) -> bool:
            limit_s = self._limit(idle_s, first=not self._predicted(quiet_s) or self.monitor.lag != 0)
            return limit_s is not None and quiet_s > limit_s

        await self._wait(idle, None, "", note)
        if idle_s is not None and self._thread.is_alive():
            note(f"No new message for {idle_s:g} s: the stream ends here.")

    def close(self) -> None:
        """Ends the thread after one last refresh; the outputs keep their last state, in the saved notebook too."""
        self._stop.set()
        self._thread.join()
        self._raise()
        for output in self._live:
            output.freeze()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _limit(self, idle_s: float | None, first: bool) -> float | None:
        return None if idle_s is None else idle_s * (FIRST_MESSAGE_FACTOR if first else 1)

    def _predicted(self, quiet_s: float) -> bool:
        return self.snapshot is not None and self.snapshot.facts["predicted"] != "0"

    async def _wait(self, done: Callable[[float], bool], limit_s: float | None, missed: str, note: Note) -> bool:
        """Keeps the kernel responsive between two checks. Raises FraudstreamError when a query has failed.

        Silence before the wait, such as the start of Spark on a slow computer, does not count.
        """
        began = time.monotonic()

        def quiet_s() -> float:
            return min(self.monitor.quiet_s, time.monotonic() - began)

        try:
            while not done(quiet_s()):
                self._raise()
                if self.snapshot and self.snapshot.failed:
                    raise FraudstreamError(f"{self.snapshot.detail} (details in Spark's log, see 2.1).")
                if limit_s is not None and quiet_s() > limit_s and not self.monitor.busy:
                    note(missed)
                    return False
                await asyncio.sleep(LOOK_EVERY_S)
        except (KeyboardInterrupt, asyncio.CancelledError):
            note("Interrupted: this wait ends, the queries continue until they are stopped below.")
            return False
        return True

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._every_s if self.snapshot else 0):
                self._refresh()
            self._refresh()
        except Exception as error:  # a bug: raised in the cell that waits, or at the end
            self._error = error
            logging.getLogger(__name__).exception("the panel has ended")
            reason = f"since {datetime.now(MELBOURNE):%H:%M:%S}: {type(error).__name__}: {error}"
            self._status.show("no longer updated", f"{reason}. The queries continue.", bad=True)

    def _refresh(self) -> None:
        try:
            self.snapshot = self.monitor.refresh()
        except (FraudstreamError, OSError) as error:
            now = self.snapshot
            self.snapshot = now and Snapshot(
                "unknown", str(error), now.facts, now.headline, now.alerts, now.queries, now.failed
            )
        if self.snapshot:
            for show in list(self._outputs):
                show(self.snapshot)


def _show_status(status: LiveStatus, now: Snapshot) -> None:
    figures = [f"{name} {now.facts[name]}" for name in ("batches sent", "predicted", "late", "quarantined", "model")]
    bad = now.failed or now.state == "partly stopped"
    status.show(now.state, now.detail, " \u00b7 ".join(figures), bad=bad)
