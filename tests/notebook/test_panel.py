"""Waiting in a cell: it ends when the stream is idle, when it is interrupted, or with the reason of a failed query."""

import asyncio
import time
from types import SimpleNamespace

import pandas as pd
import pytest

from fraudstream.errors import FraudstreamError
from fraudstream.notebook.live import LiveStatus
from fraudstream.notebook.panel import Panel
from fraudstream.stream.monitor import Snapshot


class Monitor:
    """Stands for a stream whose state the test sets; the real one is tested in tests/stream/test_monitor.py."""

    def __init__(self, predicted="0", quiet_s=0.0, lag=0, state="running", failed=False):
        self.now = SimpleNamespace(predicted=predicted, state=state, failed=failed)
        self.quiet_s, self.lag = quiet_s, lag

    @property
    def busy(self):
        return bool(self.lag)

    def refresh(self):
        facts = {
            "batches sent": "1",
            "predicted": self.now.predicted,
            "late": "0",
            "quarantined": "0",
            "model": "none yet",
        }
        return Snapshot(self.now.state, "detail", facts, "headline", pd.DataFrame(), pd.DataFrame(), self.now.failed)


@pytest.fixture
def wait():
    """(monitor, which wait, idle_s) -> its result and notes."""
    panels = []

    def run(monitor, wait_for, idle_s):
        panels.append(Panel(monitor, LiveStatus(), every_s=0.02))
        notes = []
        return asyncio.run(getattr(panels[-1], wait_for)(idle_s, notes.append)), notes

    yield run
    for panel in panels:
        panel.close()


def test_the_first_prediction_ends_the_first_wait(wait):
    assert wait(Monitor(predicted="3"), "wait_for_first", 1) == (True, [])


def test_without_a_transaction_the_first_wait_ends_after_ten_times_the_limit(wait):
    assert wait(Monitor(quiet_s=1.1), "wait_for_first", 0.1) == (False, ["No transaction has arrived."])


def test_idle_ends_the_wait_once_all_messages_are_read(wait):
    assert wait(Monitor(predicted="3", quiet_s=0.6), "wait_until_idle", 0.5)[1] == [
        "No new message for 0.5 s: the stream ends here."
    ]


def test_what_came_before_the_wait_is_no_silence(wait):
    began = time.monotonic()
    wait(Monitor(quiet_s=1000), "wait_for_first", 0.05)
    assert time.monotonic() - began > 0.5


def test_messages_that_wait_to_be_read_keep_the_stream_going(wait):
    monitor = Monitor(predicted="3", quiet_s=0.5, lag=4)

    async def both():
        panel = Panel(monitor, LiveStatus(), every_s=0.02)
        waiting = asyncio.create_task(panel.wait_until_idle(0.4, [].append))
        await asyncio.sleep(0.6)
        still = not waiting.done()
        monitor.lag = 0
        await waiting
        panel.close()
        return still

    assert asyncio.run(both())


def test_an_interrupt_ends_the_wait_only(wait):
    async def interrupted():
        panel, notes = Panel(Monitor(predicted="3"), LiveStatus(), every_s=0.02), []
        waiting = asyncio.create_task(panel.wait_until_idle(None, notes.append))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await waiting
        panel.close()
        return notes

    expected = "Interrupted: this wait ends, the queries continue until they are stopped below."
    assert asyncio.run(interrupted()) == [expected]


def test_a_failed_query_ends_the_wait_with_its_reason(wait):
    with pytest.raises(FraudstreamError, match=r"^detail \(details in Spark's log, see 2\.1\)\.$"):
        wait(Monitor(failed=True), "wait_for_first", None)


def test_a_panel_that_ends_by_a_bug_says_that_the_status_is_old_and_raises_it_in_the_cell():
    class Broken(Monitor):
        def refresh(self):
            raise ZeroDivisionError("a bug")

    status = LiveStatus()
    panel = Panel(Broken(), status, every_s=0.02)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(panel.wait_for_first(1))
    assert "no longer updated" in status._widget.value
    assert "ZeroDivisionError: a bug. The queries continue." in status._widget.value
    with pytest.raises(ZeroDivisionError):
        panel.close()
