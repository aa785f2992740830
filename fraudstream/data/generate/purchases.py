"""The purchases, one row each, before they are written to the files' columns: buyer, time and kind."""

import numpy as np
import pandas as pd

from fraudstream.data.generate import draw
from fraudstream.data.generate.clock import Period
from fraudstream.data.generate.frauds import MINUTE_MS, burst_times, fraud_numbers
from fraudstream.data.generate.profiles import FRAUDS, HONEST, REGULAR, Profile

PURCHASES, IN_ROWS = 15, 400  # 7.5 per batch of 200 browsing rows
FAILED_PROMO_PERMILLE = 90  # tries one more promo code than it uses
MAX_STEPS = 450  # and at most a twentieth of the period's rows
MAX_MINUTES = 30 * 24 * 60


def purchases(rng: np.random.Generator, period: Period, customers: pd.DataFrame, *, stream: bool) -> pd.DataFrame:
    """All purchases of a period, honest ones first.

    kind (text), checkout (shop time, ms), customer (position in customers), products, adds, promo_tries, steps (numbers
    of products in the cart and of events ATC, AP and L2/L3 before the checkout), looks (permille of steps that are L2),
    length_ms (of the session), has_promo (bool). stream: the new period, in which fresh customers also buy.
    """
    size = period.rows * PURCHASES // IN_ROWS
    numbers = fraud_numbers(size)
    honest = size - sum(numbers.values())
    kinds = draw.one_of(rng, [(kind, profile.share) for kind, profile in HONEST.items()], honest)
    parts = [
        _of_kind(rng, profile, int((kinds == kind).sum()), customers, stream).assign(kind=kind)
        for kind, profile in HONEST.items()
    ]
    for part in parts:
        part["checkout"] = rng.integers(MINUTE_MS, period.length_ms, len(part))
    for kind, number in numbers.items():
        fraud = _of_kind(rng, FRAUDS[kind], number, customers, stream).assign(kind=kind)
        parts.append(fraud.assign(checkout=burst_times(rng, kind, number, period)))
    everything = pd.concat(parts, ignore_index=True)
    return everything.assign(steps=everything["steps"].clip(upper=period.rows // 20))


def _of_kind(
    rng: np.random.Generator, profile: Profile, size: int, customers: pd.DataFrame, stream: bool
) -> pd.DataFrame:
    careful = draw.chance(rng, profile.careful_permille, size)
    products = 1 + draw.pick(rng, profile.products, size)
    has_promo = draw.chance(rng, profile.promo_permille, size)
    extra, regular = (draw.pick(rng, who.extra_adds, size) for who in (profile, REGULAR))
    return pd.DataFrame(
        {
            "customer": _buyers(rng, profile.buyers, size, customers, stream),
            "products": products,
            "has_promo": has_promo,
            "adds": products + np.where(careful, regular, extra),
            "promo_tries": has_promo + draw.chance(rng, FAILED_PROMO_PERMILLE, size).astype(np.int64),
            **_session(rng, profile, careful),
        }
    )


def _session(rng: np.random.Generator, profile: Profile, careful: np.ndarray) -> dict[str, np.ndarray]:
    """steps, looks and length_ms; for careful frauds, as a regular customer's."""
    size = len(careful)
    columns: dict[str, np.ndarray] = {}
    for who, chosen in ((profile, ~careful), (REGULAR, careful)):
        steps = np.clip(draw.long_tailed(rng, *who.steps, size), 1, MAX_STEPS)
        looks = np.rint(draw.THOUSAND * rng.beta(*who.looks, size)).astype(np.int64)
        seconds = np.clip(draw.long_tailed(rng, 60 * who.minutes[0], who.minutes[1], size), 15, 60 * MAX_MINUTES)
        for name, values in (("steps", steps), ("looks", looks), ("length_ms", 1000 * seconds)):
            columns[name] = np.where(chosen, values, columns.get(name, 0))
    return columns


def _buyers(rng: np.random.Generator, buyers: str, size: int, customers: pd.DataFrame, stream: bool) -> np.ndarray:
    """Positions in customers. Fresh customers are in the shop only while the stream runs."""
    present = customers["fresh"].to_numpy() <= stream
    new_here = (customers["recent"] | customers["fresh"]).to_numpy()
    activity = customers["activity"].to_numpy()
    weights = {"active": activity, "anyone": np.ones_like(activity), "recent": activity * new_here}
    return draw.pick(rng, weights[buyers] * present, size)
