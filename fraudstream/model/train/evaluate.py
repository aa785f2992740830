"""Compares fitted pipelines on held-out transactions."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from sklearn.metrics import confusion_matrix

from fraudstream.model.quality import Interval, areas, intervals, reliability


@dataclass(frozen=True)
class Evaluation:
    """Figures of one pipeline on the held-out transactions; fraud is the positive class.

    The areas are None if the held-out transactions are all honest or all frauds: then there is no curve.
    ``intervals``: 95 % bootstrap interval of each figure that has one.
    """

    name: str
    tp: int
    tn: int
    fp: int
    fn: int
    area_under_roc: float | None
    area_under_pr: float | None
    accuracy: float
    precision: float
    recall: float
    intervals: dict[str, Interval | None]
    reliability: list[dict]
    importance: dict[str, float]
    labels: np.ndarray = field(repr=False)
    probabilities: np.ndarray = field(repr=False)

    def __str__(self) -> str:
        known = "areas under PR and ROC unknown"
        if self.area_under_pr is not None:
            known = f"area under PR {self._shown('area_under_pr')}, under ROC {self._shown('area_under_roc')}"
        return (
            f"{self.name.replace('_', ' ')}: {known}, "
            f"precision {self._shown('precision')}, recall {self._shown('recall')} "
            f"(TP {self.tp}, FP {self.fp}, FN {self.fn}, TN {self.tn})"
        )

    def _shown(self, name: str) -> str:
        """The figure ``name`` with its interval, if it has one."""
        found = self.intervals.get(name)
        return f"{getattr(self, name):.3f}" + (f" ({found[0]:.3f} to {found[1]:.3f})" if found else "")

    def figures(self) -> dict:
        """The figures of this pipeline in metrics.json."""
        return {name: value for name, value in vars(self).items() if name not in ("labels", "probabilities")}


def evaluate(name: str, fitted: PipelineModel, held_out: DataFrame) -> Evaluation:
    """Evaluates ``fitted`` on ``held_out`` (features and label)."""
    scored = fitted.transform(held_out)
    rows = scored.select("label", "prediction", vector_to_array("probability")[1].alias("probability")).toPandas()
    labels, probabilities = rows.label.to_numpy(), rows.probability.to_numpy()
    both = rows.label.nunique() == 2
    tn, fp, fn, tp = (int(n) for n in confusion_matrix(rows.label, rows.prediction, labels=[0, 1]).ravel())
    under_pr, under_roc = (float(area[0]) if both else None for area in areas(labels, probabilities))
    return Evaluation(
        name=name,
        tp=tp,
        tn=tn,
        fp=fp,
        fn=fn,
        area_under_roc=under_roc,
        area_under_pr=under_pr,
        accuracy=(tp + tn) / len(rows),
        precision=tp / (tp + fp) if tp + fp else 0.0,
        recall=tp / (tp + fn) if tp + fn else 0.0,
        intervals=intervals(labels, probabilities),
        reliability=reliability(labels, probabilities),
        importance=_importance(fitted, scored),
        labels=labels,
        probabilities=probabilities,
    )


def best_of(scores: Mapping[str, Evaluation]) -> str:
    """The name with the larger area under the precision-recall curve; the first where there is no curve."""
    return max(scores, key=lambda name: scores[name].area_under_pr or 0)


def _importance(fitted: PipelineModel, scored: DataFrame) -> dict[str, float]:
    """Feature -> share of importance, largest first; the parts of a one-hot vector are summed."""
    attributes = scored.schema["features"].metadata["ml_attr"]["attrs"]
    names = {item["idx"]: item["name"] for kind in attributes.values() for item in kind}
    importance: dict[str, float] = {}
    for index, share in enumerate(fitted.stages[-1].featureImportances.toArray()):
        feature = names[index].split("_vector_")[0].removesuffix("_filled")
        importance[feature] = importance.get(feature, 0.0) + float(share)
    return dict(sorted(importance.items(), key=lambda item: -item[1]))
