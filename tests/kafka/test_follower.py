"""Background work: a failure is said once and tried again, and the end waits no longer than it may."""

import threading
import time

from kafka.errors import KafkaTimeoutError

from fraudstream.kafka.follower import Follower
from fraudstream.kafka.probe import wait_for


class Work:
    """Fails as often as it is told to; counts its calls and its disconnections."""

    def __init__(self, *failures):
        self.failures, self.done, self.disconnected = list(failures), 0, 0

    def __call__(self):
        if self.failures:
            raise self.failures.pop(0)
        self.done += 1

    def disconnect(self):
        self.disconnected += 1


def started(work, notes):
    follower = Follower("test", work, work.disconnect)
    follower.start("Not done: {}. It follows.", notes.append)
    return follower


def test_one_outage_is_said_once_and_the_work_continues_after_it(monkeypatch):
    monkeypatch.setattr("fraudstream.kafka.follower.RETRY_S", 0.01)
    work, notes = Work(OSError("no route."), KafkaTimeoutError(), ZeroDivisionError("a bug")), []
    follower = started(work, notes)
    assert wait_for(lambda: work.done > 1, 10, print)
    assert follower.finish()
    assert notes == ["Not done: no route. It follows."]
    assert work.disconnected == 4


def test_the_reason_is_known_while_it_waits_and_the_end_comes_in_time(monkeypatch):
    monkeypatch.setattr("fraudstream.kafka.follower.RETRY_S", 60)
    work, notes = Work(*[ZeroDivisionError("a bug")] * 9), []
    follower = started(work, notes)
    assert wait_for(lambda: bool(notes), 10, print)
    assert follower.waiting == "ZeroDivisionError: a bug"
    began = time.monotonic()
    assert not follower.finish(0.2)
    assert time.monotonic() - began < 5


def test_finish_lets_the_work_succeed_once_more():
    work, notes, threads = Work(), [], threading.active_count()
    follower = started(work, notes)
    assert wait_for(lambda: work.done > 0, 10, print)
    before = work.done
    assert follower.finish()
    assert work.done > before
    assert (notes, threading.active_count()) == ([], threads)
