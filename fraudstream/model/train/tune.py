"""Tunes both classifiers by cross-validation in the order of time: each fold is predicted from what came before it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from pyspark.ml import Pipeline
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame

from fraudstream.errors import DataError, Note
from fraudstream.model.quality import areas
from fraudstream.model.train.examples import columns_with_values, split_by_time
from fraudstream.model.train.pipelines import GRID, Parameters, classifier, preparation, shown

# shares of the training's time at which a fold begins; it ends where the next begins
FOLDS = (0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Candidate:
    """One line of the grid. ``areas``: under the precision-recall curve, per fold."""

    name: str
    chosen: Parameters
    areas: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.areas))

    def __str__(self) -> str:
        folds = ", ".join(f"{area:.3f}" for area in self.areas)
        return f"{self.name.replace('_', ' ')}, {shown(self.chosen)}: area under PR {self.mean:.3f} ({folds})"

    def figures(self) -> dict:
        """This line in metrics.json."""
        return {"name": self.name, **self.chosen, "area_under_pr": self.mean, "folds": list(self.areas)}


def tune(past: DataFrame, note: Note, grid: Mapping[str, list] = GRID) -> list[Candidate]:
    """Every candidate of ``grid``, fitted and judged on each fold of ``past`` (labelled examples); one line each.

    Nothing after ``past`` is looked at. Raises DataError where no fold has frauds both before and in it.
    """
    results: dict[tuple[str, int], list[float]] = {}
    folds = list(_folds(past))
    for before, fold in folds:
        for name, choices in grid.items():
            for place, chosen in enumerate(choices):
                area = _area(classifier(name, chosen).fit(before).transform(fold))
                results.setdefault((name, place), []).append(area)
        before.unpersist()
        fold.unpersist()
    if not results:
        raise DataError(
            "fraud_transaction.csv: too few frauds to tune, no fold has frauds both before and in it. "
            "Train without --tune."
        )
    candidates = [Candidate(name, grid[name][place], tuple(found)) for (name, place), found in results.items()]
    for candidate in candidates:
        note(str(candidate))
    return candidates


def best(candidates: list[Candidate]) -> dict[str, Parameters]:
    """Classifier -> the parameters with the largest mean area."""
    chosen: dict[str, Candidate] = {}
    for each in candidates:
        if each.name not in chosen or each.mean > chosen[each.name].mean:
            chosen[each.name] = each
    return {name: each.chosen for name, each in chosen.items()}


def _folds(past: DataFrame) -> Iterator[tuple[DataFrame, DataFrame]]:
    """Per fold what came before it, and the fold: features (vector), label and weight. Only folds with both classes."""
    for begin, end in zip(FOLDS, (*FOLDS[1:], 1.0), strict=True):
        until = past if end == 1.0 else split_by_time(past, end)[0]
        before, fold = split_by_time(until, begin / end)
        if all(part.select("label").distinct().count() == 2 for part in (before, fold)):
            prepared = Pipeline(stages=preparation(columns_with_values(before))).fit(before)
            columns = ("features", "label", "weight")
            yield tuple(prepared.transform(part).select(*columns).cache() for part in (before, fold))


def _area(scored: DataFrame) -> float:
    rows = scored.select("label", vector_to_array("probability")[1].alias("probability")).toPandas()
    return float(areas(rows.label.to_numpy(), rows.probability.to_numpy())[0][0])
