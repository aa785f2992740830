"""The producer's steady rhythm: when the next batch is sent, and its ts. Source: 1.2 and 1.4."""

import math
import time
from collections.abc import Callable

from fraudstream.errors import Note

# with an interval of a second or more, the first tick comes this long after a whole second, so that jitter of the sleep
# cannot push a tick into the next second: every batch has its own ts
AFTER_WHOLE_SECOND_S = 0.02

CLOCK_STEP_S = 0.5


class Ticker:
    """Tick n comes at start + n × ``interval_s``, however long the work between two ticks takes: no drift.

    If the work outlasts the interval, the next tick comes at once. Missed ticks are skipped, not caught up in a burst;
    no batch is skipped. The rhythm follows the monotonic clock; only ts comes from the computer's clock, which
    may be set meanwhile.
    """

    def __init__(
        self,
        interval_s: float,
        after_ts: int = 0,
        note: Note = print,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.interval_s, self.ts = interval_s, after_ts
        self._note, self._now, self._monotonic, self._sleep = note, now, monotonic, sleep
        self._offset = now() - monotonic()
        self._tick = 0
        self._start = monotonic()
        if interval_s >= 1:
            self._start += math.ceil(now()) - now() + AFTER_WHOLE_SECOND_S

    def wait(self) -> int:
        """Sleeps until the next tick, then returns its ts."""
        self._sleep(self.remaining_s())
        return self.tick(int(self._now()))

    def remaining_s(self) -> float:
        """Seconds until the next tick; 0 when it is due."""
        return max(0.0, self._early_s())

    def _early_s(self) -> float:
        return self._start + self._tick * self.interval_s - self._monotonic()

    def tick(self, now: int) -> int:
        """Takes the tick that is due. Returns its ts: ``now`` (Unix seconds), or the previous ts if that is later."""
        early = self._early_s()
        missed = max(0, int(-early // self.interval_s))
        if missed:
            self._note(
                f"{-early:.1f} s late (the interval is {self.interval_s:g} s). Continuing at once; no batch is skipped."
            )
        self._tick += missed + 1
        self._look_at_clock()
        self.ts = max(self.ts, now)
        return self.ts

    def _look_at_clock(self) -> None:
        offset = self._now() - self._monotonic()
        step = offset - self._offset
        if abs(step) > CLOCK_STEP_S:
            way = "forward" if step > 0 else "back"
            self._note(f"The computer's clock was set {way} by {abs(step):.1f} s. ts never goes back.")
            self._offset = offset
