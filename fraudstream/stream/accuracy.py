"""Precision, recall and area under the precision-recall curve, with intervals, and whether they are lower than before.

Pure functions on arrays. Intervals are of 95 %: Wilson's score interval for precision and recall; for the area, the
logit interval with the number of frauds as sample size (Boyd, Eng, Page: "Area under the precision-recall curve: point
estimates and confidence intervals", 2013).
"""

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np

from fraudstream.model.quality import Interval, areas, wilson

Z = 1.959963984540054  # standard normal, 97.5 %
# of fewer cases nothing is called significant: the intervals are approximations, and are looked at again and again
LEAST_CASES = 10


@dataclass(frozen=True)
class Figure:
    """A figure between 0 and 1 of ``count`` cases. ``value``: None without any case."""

    value: float | None
    interval: Interval
    count: int

    def __str__(self) -> str:
        if self.value is None:
            return "none yet"
        low, high = self.interval
        return f"{self.value:.2f} ({low:.2f} to {high:.2f})"

    def lower_than(self, before: "Figure") -> bool:
        """Whether this figure is significantly lower: Newcombe's interval of the difference (95 %) is below 0.

        Never of fewer than LEAST_CASES cases. Newcombe: "Interval estimation for the difference between independent
        proportions", 1998, method 10.
        """
        if self.value is None or before.value is None or self.count < LEAST_CASES:
            return False
        upper = sqrt((self.interval[1] - self.value) ** 2 + (before.value - before.interval[0]) ** 2)
        return self.value - before.value + upper < 0


def proportion(part: int, count: int) -> Figure:
    """``part`` of ``count`` cases with Wilson's interval."""
    if not count:
        return Figure(None, (0.0, 1.0), 0)
    return Figure(part / count, wilson(part / count, count), count)


def area_figure(area: float | None, frauds: int) -> Figure:
    """An area under the precision-recall curve with its logit interval; ``frauds``: how many it is computed from."""
    if area is None or not frauds:
        return Figure(None, (0.0, 1.0), 0)
    if not 0 < area < 1:
        return Figure(area, proportion(round(area * frauds), frauds).interval, frauds)
    logit, half = log(area / (1 - area)), Z / sqrt(frauds * area * (1 - area))
    return Figure(area, (1 / (1 + exp(half - logit)), 1 / (1 + exp(-half - logit))), frauds)


def average_precision(probability: np.ndarray, fraud: np.ndarray) -> float | None:
    """The area under the precision-recall curve; None where all are of one class: then there is no curve.

    ``probability`` (double) and ``fraud`` (bool) per transaction.
    """
    if not fraud.any() or fraud.all():
        return None
    under_pr, _ = areas(fraud, probability)
    return float(under_pr[0])


@dataclass(frozen=True)
class Accuracy:
    """Counts and figures of labelled transactions."""

    labelled: int
    frauds: int
    flagged: int
    found: int
    precision: Figure
    recall: Figure
    area: Figure

    @classmethod
    def of(cls, probability: np.ndarray, flagged: np.ndarray, fraud: np.ndarray) -> "Accuracy":
        """``probability`` (double), ``flagged`` and ``fraud`` (bool) per labelled transaction."""
        frauds, alerts, found = int(fraud.sum()), int(flagged.sum()), int((flagged & fraud).sum())
        area = area_figure(average_precision(probability, fraud), frauds)
        return cls(len(fraud), frauds, alerts, found, proportion(found, alerts), proportion(found, frauds), area)

    @classmethod
    def trained(cls, tp: int, fp: int, fn: int, tn: int, area_under_pr: float | None) -> "Accuracy":
        """The training's figures on its held-out transactions, from their counts."""
        area = area_figure(area_under_pr, tp + fn)
        precision, recall = proportion(tp, tp + fp), proportion(tp, tp + fn)
        return cls(tp + fp + fn + tn, tp + fn, tp + fp, tp, precision, recall, area)

    def lower_than(self, before: "Accuracy") -> list[str]:
        """The figures that are significantly lower than ``before``'s."""
        names = {"precision": "precision", "recall": "recall", "area": "area under the precision-recall curve"}
        return [name for field, name in names.items() if getattr(self, field).lower_than(getattr(before, field))]
