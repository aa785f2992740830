"""The browsing events of a period: sessions placed in time for even traffic, and an exact number of rows."""

import numpy as np
import pandas as pd

from fraudstream.data.generate import draw
from fraudstream.data.generate.clock import Period
from fraudstream.data.generate.walks import CO, EVENT_TYPES, Events, no_purchase, to_purchase, walk

BIN_ROWS = 450  # about an hour of shop time
LOOKERS_MINUTES = (45, 1.7)  # length of a session without purchase: median, sigma of a log-normal
MAX_MS = 30 * 24 * 3_600_000
TIE_PERMILLE = 2  # rows that happen in the same millisecond as the row before
SOURCES = (("MOBILE", 88), ("WEB", 12))
DEVICES = (("Android", 72), ("iOS", 28))


def browsing(rng: np.random.Generator, period: Period, purchases: pd.DataFrame) -> pd.DataFrame:
    """All events of a period, sorted by time: period.rows of them.

    session (number; the first ones are the purchases, row by row), event_type, traffic_source, device_type (text),
    browsed_at (calendar ms), customer (position in customers).
    """
    buying = walk(rng, to_purchase(rng, purchases))
    buying_ms = _around_checkouts(rng, buying, purchases, period)
    looking, looking_ms = _lookers(rng, period, buying_ms)
    sessions = len(purchases) + int(looking.session[-1]) + 1
    session = np.concatenate([buying.session, looking.session + len(purchases)])
    code = np.concatenate([buying.code, looking.code])
    shop_ms = np.concatenate([buying_ms, looking_ms])
    order = np.argsort(shop_ms, kind="stable")
    session = session[order]
    visitors = np.concatenate([purchases["customer"], _visitors(rng, sessions - len(purchases), purchases)])
    return pd.DataFrame(
        {
            "session": session,
            "event_type": EVENT_TYPES[code[order]],
            "browsed_at": _with_ties(rng, period.to_calendar(shop_ms[order])),
            "traffic_source": draw.one_of(rng, SOURCES, sessions)[session],
            "device_type": draw.one_of(rng, DEVICES, sessions)[session],
            "customer": visitors[session],
        }
    )


def checkouts(events: pd.DataFrame) -> np.ndarray:
    """Calendar ms of the CO of each purchase, in the order of the purchases."""
    ends = events[events["event_type"] == EVENT_TYPES[CO]]
    return ends.sort_values("session", kind="stable")["browsed_at"].to_numpy()


def _around_checkouts(rng: np.random.Generator, events: Events, purchases: pd.DataFrame, period: Period) -> np.ndarray:
    """Shop times: each session ends with its checkout; a few continue browsing afterwards."""
    checkout = purchases["checkout"].to_numpy()
    wanted = purchases["length_ms"].to_numpy()
    fits = wanted < checkout
    length = np.where(fits, wanted, checkout * rng.integers(1, draw.THOUSAND, len(checkout)) // draw.THOUSAND)
    after = np.minimum(np.minimum(length, 6 * 3_600_000) + 20_000, period.length_ms - 1 - checkout)
    passed, total = _passed(rng, events)
    later = np.maximum(_total_of_session(events, passed) - total, 1)
    session = events.session
    before = checkout[session] - length[session] + passed * length[session] // total[session]
    behind = checkout[session] + (passed - total[session]) * after[session] // later[session]
    return np.where(passed <= total[session], before, behind)


def _passed(rng: np.random.Generator, events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Position of each event, and of the CO (or last event), within the session; few gaps are long."""
    gaps = rng.integers(1, 101, (len(events.session), 3)).prod(axis=1)
    first = np.searchsorted(events.session, np.arange(len(events.last)))
    running = np.cumsum(gaps)
    passed = running - running[first][events.session]
    return passed, np.maximum(passed[events.last], 1)


def _total_of_session(events: Events, passed: np.ndarray) -> np.ndarray:
    return passed[np.searchsorted(events.session, np.arange(len(events.last)), side="right") - 1]


def _lookers(rng: np.random.Generator, period: Period, buying_ms: np.ndarray) -> tuple[Events, np.ndarray]:
    """Sessions without purchase, and shop times of their events: they fill the hours with too few rows."""
    missing = period.rows - len(buying_ms)
    events = walk(rng, no_purchase(rng, missing // 3 + 50))
    events = _cut(events, missing)
    size = len(events.last)
    bins = max(4, period.rows // BIN_ROWS)
    width = period.length_ms // bins
    busy = np.bincount(np.minimum(buying_ms // width, bins - 1), minlength=bins)
    spare = np.maximum(period.rows // bins - busy, period.rows // bins // 10)
    start = draw.pick(rng, spare, size) * width + rng.integers(0, width, size)
    left = period.length_ms - 1 - start
    wanted = np.clip(1000 * draw.long_tailed(rng, 60 * LOOKERS_MINUTES[0], LOOKERS_MINUTES[1], size), 10_000, MAX_MS)
    length = np.where(wanted < left, wanted, left * rng.integers(0, draw.THOUSAND, size) // draw.THOUSAND)
    passed, total = _passed(rng, events)
    return events, start[events.session] + passed * length[events.session] // total[events.session]


def _cut(events: Events, rows: int) -> Events:
    """The first ``rows`` events; the last session may be cut."""
    session, code = events.session[:rows], events.code[:rows]
    last = np.append(events.last[: session[-1]], rows - 1)
    return Events(session, code, last)


def _visitors(rng: np.random.Generator, size: int, purchases: pd.DataFrame) -> np.ndarray:
    """Customers of sessions without a purchase; they buy in other sessions."""
    return purchases["customer"].to_numpy()[rng.integers(0, len(purchases), size)]


def _with_ties(rng: np.random.Generator, sorted_ms: np.ndarray) -> np.ndarray:
    tied = draw.chance(rng, TIE_PERMILLE, len(sorted_ms))
    tied[0] = False
    return np.where(tied, np.roll(sorted_ms, 1), sorted_ms)
