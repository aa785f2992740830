"""The shop's clock: maps uniform shop time to a calendar with busy evenings and quiet nights.

Shop time runs from 0 to a period's length in ms, and on average one browsing row falls into each MEAN_GAP_MS of it.
The calendar shows the same rows 6 s apart in the busiest hours of the week and 10 s in the quietest. All times are in
whole milliseconds: no rounding, so identical results everywhere.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MEAN_GAP_MS = 8_000
NEW_START_MS = int(np.datetime64("2024-01-01T00:00:00.000", "ms").astype(np.int64))

# traffic by hour of the day and by day of the week from Monday, in per cent of the average
HOURS = (90, 86, 83, 82, 83, 86, 90, 95, 98, 100, 102, 105, 110, 106, 102, 101, 102, 105, 110, 118, 124, 122, 108, 98)
WEEKDAYS = (98, 98, 98, 99, 100, 103, 105)
MONDAY_MS = 4 * DAY_MS  # 1970-01-05


@dataclass(frozen=True)
class Period:
    """A span of the calendar with a number of browsing rows: the past or the new stream."""

    start_ms: int
    rows: int

    @property
    def length_ms(self) -> int:
        return self.rows * MEAN_GAP_MS

    @cached_property
    def _knots(self) -> tuple[np.ndarray, np.ndarray]:
        """Whole hours as calendar ms and as shop ms: within an hour both advance evenly."""
        end_ms = self.start_ms + self.length_ms
        first_hour = self.start_ms // HOUR_MS + 1
        hours = [hour * HOUR_MS for hour in range(first_hour, -(-end_ms // HOUR_MS))]
        calendar = [self.start_ms, *hours, end_ms]
        traffic = [0]
        for begin, end in pairwise(calendar):
            week_ms = (begin - MONDAY_MS) % (7 * DAY_MS)
            percent = HOURS[week_ms % DAY_MS // HOUR_MS] * WEEKDAYS[week_ms // DAY_MS]
            traffic.append(traffic[-1] + percent * (end - begin))
        shop = [amount * self.length_ms // traffic[-1] for amount in traffic]
        return np.array(calendar, dtype=np.int64), np.array(shop, dtype=np.int64)

    def to_calendar(self, shop_ms: np.ndarray) -> np.ndarray:
        """Calendar time (int64, ms since 1970) of shop times."""
        calendar, shop = self._knots
        return _interpolate(shop_ms, shop, calendar)

    def to_shop_time(self, calendar_ms: np.ndarray) -> np.ndarray:
        """Shop time (int64, ms) of calendar times; times outside the period are clipped to it."""
        calendar, shop = self._knots
        return _interpolate(np.clip(calendar_ms, calendar[0], calendar[-1]), calendar, shop)


def _interpolate(x: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    segment = np.clip(np.searchsorted(xs, x, side="right") - 1, 0, len(xs) - 2)
    run = xs[segment + 1] - xs[segment]
    rise = ys[segment + 1] - ys[segment]
    return ys[segment] + (x - xs[segment]) * rise // run


def as_text(calendar_ms: np.ndarray) -> np.ndarray:
    """Times as the files show them, ``2024-01-01 00:21:45.282``."""
    texts = np.datetime_as_string(calendar_ms.astype("datetime64[ms]"), unit="ms")
    return np.char.replace(texts, "T", " ").astype(object)
