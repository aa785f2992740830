"""Times and kinds of the frauds: bursts spread over the whole period."""

import numpy as np

from fraudstream.data.generate import draw
from fraudstream.data.generate.clock import DAY_MS, HOUR_MS, Period
from fraudstream.data.generate.profiles import FRAUDS

FRAUD_PERMILLE = 30  # of all purchases
NIGHT_HOURS = (1, 5)
MINUTE_MS = 60_000


def fraud_numbers(purchases: int) -> dict[str, int]:
    """Number of frauds of each kind, at least one of each."""
    total = purchases * FRAUD_PERMILLE / draw.THOUSAND
    weights = sum(profile.share for profile in FRAUDS.values())
    return {kind: max(1, round(total * profile.share / weights)) for kind, profile in FRAUDS.items()}


def burst_times(rng: np.random.Generator, kind: str, size: int, period: Period) -> np.ndarray:
    """Shop times (int64, ms) of the checkouts of one kind of fraud, burst by burst."""
    per_burst, spread_minutes = FRAUDS[kind].burst
    bursts = -(-size // per_burst)
    width = period.length_ms // bursts
    spread = min(spread_minutes * MINUTE_MS, width // 2)
    starts = np.arange(bursts) * width + rng.integers(0, width - spread, bursts)
    if FRAUDS[kind].night:
        starts = np.minimum(_at_night(rng, starts, period), period.length_ms - spread)
    times = np.repeat(starts, per_burst)[:size] + rng.integers(0, spread, size)
    return np.clip(times, MINUTE_MS, period.length_ms - 1)


def _at_night(rng: np.random.Generator, shop_ms: np.ndarray, period: Period) -> np.ndarray:
    midnight = period.to_calendar(shop_ms) // DAY_MS * DAY_MS
    hour_ms = rng.integers(NIGHT_HOURS[0] * HOUR_MS, NIGHT_HOURS[1] * HOUR_MS, len(shop_ms))
    return period.to_shop_time(midnight + hour_ms)
