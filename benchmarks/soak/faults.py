"""The kinds of faults: what is broken, for how long, and when the pipeline has recovered from it."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.soak.parts import wait_for
from benchmarks.soak.pipeline import Pipeline, Progress

RECOVERY_LIMIT_S = 240


@dataclass
class Record:
    """One fault: its kind, when it began (Unix seconds), and the seconds from its begin to the recovery."""

    kind: str
    began: float
    recovered_s: float
    hit: bool


@dataclass
class Faults:
    """Breaks ``pipeline`` and records it. ``pause_s``: the shortest and longest pause, in seconds."""

    pipeline: Pipeline
    draw: random.Random
    pause_s: tuple[float, float] = (3.0, 15.0)
    records: list[Record] = field(default_factory=list)

    def random_kind(self) -> str:
        """A kind; none comes again before each has been there."""
        done = [each.kind for each in self.records]
        fewest = min(done.count(kind) for kind in self.kinds)
        return self.draw.choice([kind for kind in self.kinds if done.count(kind) == fewest])

    def one(self, kind: str) -> Record:
        """One fault; returns when the pipeline has recovered. Raises TimeoutError if it does not."""
        began, before = time.time(), self.pipeline.progress()
        recovered, hit = self.kinds[kind]()
        wait_for(f"recovery after: {kind}", lambda: recovered(before), RECOVERY_LIMIT_S)
        self.records.append(Record(kind, began, time.time() - began, hit))
        return self.records[-1]

    @property
    def kinds(self) -> dict[str, Callable]:
        pipeline = self.pipeline
        return {
            "broker killed": lambda: self._killed(pipeline.broker, _predicted_more, pause_s=1),
            "stream killed": lambda: self._killed(pipeline.stream, _predicted_more),
            "producer killed": lambda: self._killed(pipeline.producer, _sent_more),
            "consumer killed": lambda: self._killed(pipeline.consumer, _drawn_more),
            "broker paused": lambda: self._paused(pipeline.broker, _predicted_more),
            "stream paused": lambda: self._paused(pipeline.stream, _predicted_more),
            "producer paused": lambda: self._paused(pipeline.producer, _sent_more),
            "consumer paused": lambda: self._paused(pipeline.consumer, _drawn_more),
            "network cut": self._cut,
            "connections reset": self._reset,
            "network slow": self._slow,
        }

    def _killed(self, part, recovered, pause_s: float = 0):
        hit = part.running
        part.kill()
        time.sleep(pause_s)
        part.start()
        return _after(recovered, self.pipeline), hit

    def _paused(self, part, recovered):
        hit = part.running
        part.send(signal.SIGSTOP)
        time.sleep(self.draw.uniform(*self.pause_s))
        part.send(signal.SIGCONT)
        return _after(recovered, self.pipeline), hit

    def _cut(self):
        connections = self.pipeline.relay.cut()
        time.sleep(self.draw.uniform(*self.pause_s))
        self.pipeline.relay.mend()
        return _after(_predicted_more, self.pipeline), connections > 0

    def _reset(self):
        return _after(_predicted_more, self.pipeline), self.pipeline.relay.reset() > 0

    def _slow(self):
        passed = self.pipeline.relay.passed
        self.pipeline.relay.slow(0.1, 3_000_000)
        time.sleep(self.draw.uniform(*self.pause_s))
        self.pipeline.relay.fast()
        return _after(_predicted_more, self.pipeline), self.pipeline.relay.passed > passed


def _after(more: Callable, pipeline: Pipeline) -> Callable:
    return lambda before: more(before, pipeline.progress())


def _predicted_more(before: Progress, now: Progress) -> bool:
    return now.over or (now.predicted > before.predicted and now.sent > before.sent)


def _sent_more(before: Progress, now: Progress) -> bool:
    return now.over or now.sent > before.sent


def _drawn_more(before: Progress, now: Progress) -> bool:
    return now.drawn > before.drawn or (now.over and now.drawn >= before.drawn)
