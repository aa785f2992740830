"""How good probabilities of fraud are: curves' areas, intervals, reliability, and what each threshold costs.

Pure functions on arrays: ``labels`` (bool or 0/1, fraud is True) and ``probabilities`` (double) of the same rows.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

# a transaction is predicted to be fraud above this: Spark's argmax of two probabilities
DEFAULT_THRESHOLD = 0.5
THRESHOLDS = tuple(round(step * 0.05, 2) for step in range(1, 20))
# edges of the reliability curve; most transactions are far below 0.1
EDGES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
RESAMPLES, SEED = 1000, 42
# of an array of resamples, 32 MB
ELEMENTS = 4_000_000
PERCENTILES = (2.5, 97.5)

Interval = tuple[float, float]


@dataclass(frozen=True)
class Costs:
    """Rupiah per missed fraud (about the mean amount of a fraud) and per false alarm."""

    missed_fraud: float = 1_000_000
    false_alarm: float = 100_000


def areas(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """Area under the precision-recall curve (average precision) and under ROC, one value per row of ``weights``.

    ``weights``: how often each transaction counts, resamples x rows; None: once each, and one resample. NaN where all
    are of one class. Equal probabilities are one point of either curve.
    """
    order = np.argsort(-probabilities, kind="stable")
    sorted_labels, last = labels[order].astype(float), np.append(np.diff(probabilities[order]) != 0, True)
    counted = np.ones((1, len(labels))) if weights is None else weights[:, order].astype(float)
    found, flagged = (np.cumsum(part, axis=1)[:, last] for part in (counted * sorted_labels, counted))
    alarms, frauds, honest = flagged - found, found[:, -1:], (flagged - found)[:, -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(flagged > 0, found / flagged, 0.0)
        under_pr = (precision * np.diff(found, axis=1, prepend=0)).sum(axis=1) / frauds[:, 0]
        middle = found - np.diff(found, axis=1, prepend=0) / 2
        under_roc = (middle * np.diff(alarms, axis=1, prepend=0)).sum(axis=1) / (frauds * honest)[:, 0]
    return np.where(honest[:, 0] > 0, under_pr, np.nan), under_roc


def draws(rows: int, resamples: int = RESAMPLES, seed: int = SEED) -> Iterator[np.ndarray]:
    """How often each of ``rows`` is drawn (int, some resamples x rows at a time): rows drawn with replacement."""
    rng = np.random.default_rng(seed)
    step = max(1, ELEMENTS // rows)
    for begin in range(0, resamples, step):
        yield rng.multinomial(rows, np.full(rows, 1 / rows), size=min(step, resamples - begin))


def intervals(labels: np.ndarray, probabilities: np.ndarray, threshold: float = DEFAULT_THRESHOLD) -> dict:
    """95 % bootstrap intervals of area_under_pr, area_under_roc, precision and recall (at ``threshold``).

    Name -> (low, high), or None where the figure is not defined in most resamples. Transactions are drawn one by one,
    although frauds come in bursts: the true uncertainty is a little larger.
    """
    flagged, fraud = probabilities > threshold, labels.astype(bool)
    parts = []
    for weights in draws(len(labels)):
        found = weights[:, flagged & fraud].sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            precision, recall = found / weights[:, flagged].sum(axis=1), found / weights[:, fraud].sum(axis=1)
        parts.append((*areas(labels, probabilities, weights), precision, recall))
    names = ("area_under_pr", "area_under_roc", "precision", "recall")
    return {name: interval(np.concatenate(each)) for name, each in zip(names, zip(*parts, strict=True), strict=True)}


def interval(values: np.ndarray) -> Interval | None:
    """The middle 95 % of ``values``; None where most are not defined, such as the recall without any fraud."""
    defined = values[np.isfinite(values)]
    if len(defined) < len(values) / 2:
        return None
    low, high = np.percentile(defined, PERCENTILES)
    return float(low), float(high)


DEFAULT_COSTS = Costs()


@dataclass(frozen=True)
class AtThreshold:
    """What predicting fraud above ``threshold`` leads to. ``cost`` in rupiah; ``precision``: None without an alert."""

    threshold: float
    alerts: int
    alerts_per_day: float
    precision: float | None
    recall: float | None
    cost: float

    @classmethod
    def of(
        cls, labels: np.ndarray, probabilities: np.ndarray, threshold: float, days: float, costs: Costs
    ) -> "AtThreshold":
        """``days``: of the shop's time that the rows cover."""
        flagged, fraud = probabilities > threshold, labels.astype(bool)
        alerts, found, frauds = int(flagged.sum()), int((flagged & fraud).sum()), int(fraud.sum())
        return cls(
            threshold=threshold,
            alerts=alerts,
            alerts_per_day=round(alerts / days, 2),
            precision=found / alerts if alerts else None,
            recall=found / frauds if frauds else None,
            cost=(frauds - found) * costs.missed_fraud + (alerts - found) * costs.false_alarm,
        )


def threshold_table(labels: np.ndarray, probabilities: np.ndarray, days: float, costs: Costs) -> dict:
    """The thresholds of metrics.json: ``default``, ``cheapest``, ``costs``, and ``table`` with one row per threshold.

    The cheapest is chosen and measured on the same transactions, so its figures are slightly too good.
    """
    rows = [AtThreshold.of(labels, probabilities, threshold, days, costs) for threshold in THRESHOLDS]
    cheapest = min(rows, key=lambda row: (row.cost, abs(row.threshold - DEFAULT_THRESHOLD)))
    return {
        "default": DEFAULT_THRESHOLD,
        "cheapest": cheapest.threshold,
        "costs": asdict(costs),
        "table": [asdict(row) for row in rows],
    }


def reliability(labels: np.ndarray, probabilities: np.ndarray) -> list[dict]:
    """Per range of probability (EDGES) with transactions: their number, mean probability, and share of frauds.

    ``interval``: Wilson's 95 % interval of the share. A probability means what it says where the mean lies within.
    """
    places = np.clip(np.searchsorted(EDGES, probabilities, side="right") - 1, 0, len(EDGES) - 2)
    rows = []
    for place in np.unique(places):
        inside = places == place
        count, share = int(inside.sum()), float(labels[inside].mean())
        rows.append(
            {
                "from": EDGES[place],
                "to": EDGES[place + 1],
                "transactions": count,
                "mean_probability": float(probabilities[inside].mean()),
                "fraud_share": share,
                "interval": wilson(share, count),
            }
        )
    return rows


def wilson(share: float, count: int, z: float = 1.959963984540054) -> Interval:
    """Wilson's score interval of a ``share`` of ``count`` cases; ``z``: 97.5 % point of the standard normal."""
    square = z * z / count
    centre = (share + square / 2) / (1 + square)
    half = z * np.sqrt(share * (1 - share) / count + square / count / 4) / (1 + square)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
