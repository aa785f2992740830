"""The ticker: no drift, a ts of its own for every second, and ts never goes back."""

import pytest

from fraudstream.producer.ticker import Ticker


class Clock:
    """A clock that moves only when somebody sleeps or works."""

    def __init__(self, unix, monotonic=50.0):
        self.unix, self.elapsed, self.notes = unix, monotonic, []

    def now(self):
        return self.unix

    def monotonic(self):
        return self.elapsed

    def sleep(self, seconds):
        self.unix, self.elapsed = self.unix + seconds, self.elapsed + seconds

    def ticker(self, interval_s, after_ts=0):
        return Ticker(interval_s, after_ts, self.notes.append, now=self.now, monotonic=self.monotonic, sleep=self.sleep)


def ticks(clock, ticker, work_s):
    """ts of each tick when the work after tick n takes work_s[n] seconds, and when each came."""
    stamps, moments = [], []
    for seconds in work_s:
        stamps.append(ticker.wait())
        moments.append(clock.elapsed)
        clock.sleep(seconds)
    return stamps, moments


def test_work_between_ticks_makes_no_drift_and_each_second_has_its_own_ts():
    clock = Clock(unix=1000.7)
    stamps, moments = ticks(clock, clock.ticker(1.0), [0.3, 0.9, 0.0, 0.99, 0.5])
    assert stamps == [1001, 1002, 1003, 1004, 1005]
    assert moments == pytest.approx([50.32, 51.32, 52.32, 53.32, 54.32])
    assert clock.notes == []


def test_a_short_overrun_is_caught_up():
    clock = Clock(unix=1000.0)
    stamps, moments = ticks(clock, clock.ticker(1.0), [1.4, 0.2, 0.2])
    assert stamps == [1000, 1001, 1002]
    assert moments == pytest.approx([50.02, 51.42, 52.02])


def test_after_a_long_wait_the_next_batch_goes_at_once_and_the_others_do_not_bunch():
    clock = Clock(unix=1000.0)
    stamps, moments = ticks(clock, clock.ticker(1.0), [30.5, 0.1, 0.1])
    assert stamps == [1000, 1030, 1031]
    assert moments == pytest.approx([50.02, 80.52, 81.02])
    assert clock.notes == ["29.5 s late (the interval is 1 s). Continuing at once; no batch is skipped."]


def test_quick_ticks_share_a_ts_and_keep_their_distance():
    clock = Clock(unix=1000.0)
    stamps, moments = ticks(clock, clock.ticker(0.4), [0.0] * 4)
    assert stamps == [1000, 1000, 1000, 1001]
    assert moments == pytest.approx([50.0, 50.4, 50.8, 51.2])


def test_ts_never_goes_back_when_the_clock_does_and_it_is_said_once():
    clock = Clock(unix=1000.0)
    ticker = clock.ticker(1.0)
    ticker.wait()
    clock.unix -= 60
    assert [ticker.wait(), ticker.wait()] == [1000, 1000]
    assert clock.notes == ["The computer's clock was set back by 60.0 s. ts never goes back."]


def test_ts_continues_after_the_last_one_sent_before():
    clock = Clock(unix=1000.0)
    assert clock.ticker(1.0, after_ts=1005).wait() == 1005
