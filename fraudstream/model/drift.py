"""Drift: do the stream's features still look like those that the model was judged on?

Population stability index per feature, sum of (now - then) * ln(now / then) over the shares of its ranges: the ten
between the reference's deciles for a number, one per value for a category, and one for what is missing.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

# the usual threshold of "shifted"; below it, differences are seldom worth a look
MARKED_ABOVE = 0.2
# standard normal, so far out that 19 features, looked at all day, do not reach it by chance
Z = 5.0
# more than a day of the time of the shop: before that, the hours of day differ, and sessions that began earlier are cut
MIN_ROWS = 600
DECILES = np.arange(0.1, 1.0, 0.1)


def reference(rows: pd.DataFrame, categories: Sequence[str], numbers: Sequence[str]) -> dict[str, dict]:
    """Per feature its ranges in ``rows`` and their counts, for metrics.json.

    A number: ``edges`` (deciles, the range's upper ends; equal ones once) and ``counts``, one more than edges, and one
    for missing values. A category: ``values`` and ``counts``, one more for all other values.
    """
    found = {}
    for name in numbers:
        values = rows[name].to_numpy(dtype=float, na_value=np.nan)
        present = values[~np.isnan(values)]
        edges = np.unique(np.quantile(present, DECILES)).tolist() if len(present) else []
        found[name] = {"edges": edges}
    found |= {name: {"values": sorted(rows[name].dropna().unique().tolist())} for name in categories}
    return {name: {**ranges, "counts": counts(ranges, rows[name]).tolist()} for name, ranges in found.items()}


def counts(ranges: Mapping, values: pd.Series) -> np.ndarray:
    """How many of ``values`` are in each of the ``ranges`` of a feature (int)."""
    if "edges" in ranges:
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        places = np.where(np.isnan(numbers), len(ranges["edges"]) + 1, np.searchsorted(ranges["edges"], numbers))
        return np.bincount(places, minlength=len(ranges["edges"]) + 2)
    places = values.map({value: place for place, value in enumerate(ranges["values"])}).fillna(len(ranges["values"]))
    return np.bincount(places.astype(int), minlength=len(ranges["values"]) + 1)


def stability(then: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    """The population stability index of two vectors of counts, and what chance alone would hardly exceed.

    Half a row is added to each range, so that an empty one has a logarithm. Without drift the index is about
    (1/n + 1/m) times chi-square with one degree of freedom less than ranges; its quantile is Wilson and Hilferty's.
    Source: Yurdakul, "Statistical properties of population stability index", 2018.
    """
    used = (then + now) > 0
    then, now = then[used], now[used]
    before, after = (part / part.sum() for part in (then + 0.5, now + 0.5))
    index = float(np.sum((after - before) * np.log(after / before)))
    freedom = max(len(then) - 1, 1)
    quantile = freedom * (1 - 2 / (9 * freedom) + Z * math.sqrt(2 / (9 * freedom))) ** 3
    return index, quantile * (1 / then.sum() + 1 / now.sum())


def drifted(features: Mapping[str, Mapping], rows: pd.DataFrame) -> dict[str, float] | None:
    """Feature -> index, of the features of ``rows`` that are marked, the largest first; None for too few rows.

    Marked: the index is above MARKED_ABOVE and above what chance alone would hardly exceed. ``features``: from
    ``reference``; one that ``rows`` do not have is left out.
    """
    if len(rows) < MIN_ROWS:
        return None
    marked = {}
    for name in (name for name in features if name in rows):
        index, chance = stability(np.array(features[name]["counts"]), counts(features[name], rows[name]))
        if index > max(MARKED_ABOVE, chance):
            marked[name] = index
    return dict(sorted(marked.items(), key=lambda item: -item[1]))
