"""A session as a Markov chain over the event types."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fraudstream.data.generate import draw
from fraudstream.data.generate.profiles import REGULAR

# L3 (scroll, home page, click), L2 (view category, item, promotion, search), L1 (add to cart, add promo, check out)
EVENT_TYPES = np.array(["SCR", "HP", "CL", "VC", "VI", "VP", "SER", "ATC", "AP", "CO"], dtype=object)
SCR, HP, CL, VC, VI, VP, SER, ATC, AP, CO = range(10)
L3, L2 = (SCR, HP, CL), (VC, VI, VP, SER)
START = (15, 60, 25)  # weights of L3 for the first event

# weights of the next event within its level, one row per previous event
NEXT_L3 = ((45, 5, 50), (40, 5, 55), (45, 15, 40), (55, 5, 40), (50, 5, 45), (35, 15, 50), (40, 5, 55))
NEXT_L2 = (
    (20, 60, 8, 12), (35, 20, 20, 25), (20, 55, 10, 15),
    (10, 75, 5, 10), (20, 55, 5, 20), (25, 50, 10, 15), (25, 60, 5, 10),
)  # fmt: skip
# how the previous event changes the inclination to L2, in per cent: a click leads to looking, an item to scrolling
L2_PERCENT = np.array([120, 150, 160, 60, 55, 60, 90])


@dataclass(frozen=True)
class Plan:
    """The plan of each session: int64 arrays with one value per session."""

    steps: np.ndarray  # L2 and L3 events before the checkout, or at all
    looks: np.ndarray  # permille of steps that are L2
    adds: np.ndarray  # ATC
    promo_tries: np.ndarray  # AP
    later: np.ndarray  # L2 and L3 events after the checkout
    buys: np.ndarray  # 1: ends in CO


@dataclass(frozen=True)
class Events:
    """Events sorted by session, then by time."""

    session: np.ndarray  # position of the session in its plan
    code: np.ndarray  # position in EVENT_TYPES
    last: np.ndarray  # for each session: position of its CO, or of its last event


def walk(rng: np.random.Generator, plan: Plan) -> Events:
    """The events of all sessions: browsing, with products added to the cart, promo codes and the checkout.

    Each event has a rank in its session: browsing step i has 4i, an ATC follows a step at 4i + 1 (the next VI where
    there is one), AP and CO follow the last step before the checkout at + 2 and + 3.
    """
    length = plan.steps + plan.later
    sessions = np.arange(len(length))
    first = np.cumsum(length) - length
    browsed = _browse(rng, length, first, plan.looks)
    browser = np.repeat(sessions, length)
    step = np.arange(len(browsed)) - first[browser]
    adder = np.repeat(sessions, plan.adds)
    wish = first[adder] + rng.integers(0, plan.steps[adder])
    host = _next_item(browsed, wish, first[adder] + plan.steps[adder] - 1) - first[adder]
    trier = np.repeat(sessions, plan.promo_tries)
    buyer = np.flatnonzero(plan.buys)
    end = 4 * (plan.steps - 1)
    session = np.concatenate([browser, adder, trier, buyer])
    code = np.concatenate([browsed, *(np.full(len(who), c) for who, c in ((adder, ATC), (trier, AP), (buyer, CO)))])
    rank = np.concatenate([4 * step, 4 * host + 1, end[trier] + 2, end[buyer] + 3])
    order = np.lexsort((rank, session))
    return Events(session[order], code[order], _last(session[order], code[order], plan.buys))


def _browse(rng: np.random.Generator, length: np.ndarray, first: np.ndarray, looks: np.ndarray) -> np.ndarray:
    """Codes of the browsing events, session after session: vectorised: all sessions take their next step together."""
    codes = np.empty(int(length.sum()), dtype=np.int64)
    longest_first = np.argsort(-length, kind="stable")
    still_there = np.searchsorted(-length[longest_first], -np.arange(length.max()), side="left")
    next_l3, next_l2 = np.cumsum(NEXT_L3, axis=1), np.cumsum(NEXT_L2, axis=1)
    state = np.array(L3)[draw.pick(rng, START, len(length))]
    codes[first] = state
    state = state[longest_first]
    for step in range(1, len(still_there)):
        active = longest_first[: still_there[step]]
        before = state[: len(active)]
        looking = rng.integers(0, 100 * draw.THOUSAND, len(active)) < looks[active] * L2_PERCENT[before]
        dice = rng.integers(0, 100, len(active))[:, None]
        level2 = np.array(L2)[(dice >= next_l2[before]).sum(axis=1)]
        level3 = np.array(L3)[(dice >= next_l3[before]).sum(axis=1)]
        state = np.where(looking, level2, level3)
        codes[first[active] + step] = state
    return codes


def _next_item(browsed: np.ndarray, wish: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The next VI at or after each wanted position, up to the session's last step; else the position itself."""
    positions = np.where(browsed == VI, np.arange(len(browsed)), len(browsed))
    next_item = np.minimum.accumulate(positions[::-1])[::-1]
    return np.where(next_item[wish] <= last, next_item[wish], wish)


def _last(session: np.ndarray, code: np.ndarray, buys: np.ndarray) -> np.ndarray:
    last = np.cumsum(np.bincount(session, minlength=len(buys))) - 1
    last[buys == 1] = np.flatnonzero(code == CO)
    return last


def no_purchase(rng: np.random.Generator, size: int) -> Plan:
    """Sessions without a purchase, some with a full cart."""
    none = np.zeros(size, dtype=np.int64)
    adds = np.where(draw.chance(rng, 180, size), 1 + draw.pick(rng, (70, 20, 10), size), 0)
    return Plan(
        steps=np.clip(draw.long_tailed(rng, 3.4, 0.95, size), 1, 300),
        looks=np.rint(draw.THOUSAND * rng.beta(*REGULAR.looks, size)).astype(np.int64),
        adds=adds,
        promo_tries=np.where(draw.chance(rng, 100, size), np.minimum(adds, 1), 0),
        later=none,
        buys=none,
    )


def to_purchase(rng: np.random.Generator, purchases: pd.DataFrame) -> Plan:
    """The sessions of the purchases, row by row; some continue browsing after the checkout."""
    size = len(purchases)
    later = np.where(draw.chance(rng, 140, size), np.clip(draw.long_tailed(rng, 2.5, 0.7, size), 1, 40), 0)
    columns = {name: purchases[name].to_numpy() for name in ("steps", "looks", "adds", "promo_tries")}
    return Plan(**columns, later=later, buys=np.ones(size, dtype=np.int64))
