"""Compares fitted pipelines on held-out transactions: figures as JSON, curves as PNG."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    PrecisionRecallDisplay,
    RocCurveDisplay,
    average_precision_score,
    confusion_matrix,
    roc_auc_score,
)

from fraudstream.model import sha256
from fraudstream.model.saved import METRICS

PLOTS = ("roc.png", "precision_recall.png", "confusion_matrices.png", "feature_importance.png")
EVALUATION_FILES = (METRICS, *PLOTS)


@dataclass(frozen=True)
class Evaluation:
    """Figures of one pipeline on the held-out transactions; fraud is the positive class.

    The areas are None if the held-out transactions are all honest or all frauds: then there is no curve.
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
    importance: dict[str, float]
    labels: np.ndarray = field(repr=False)
    probabilities: np.ndarray = field(repr=False)

    def __str__(self) -> str:
        areas = "areas under PR and ROC unknown, "
        if self.area_under_pr is not None:
            areas = f"area under PR {self.area_under_pr:.3f}, under ROC {self.area_under_roc:.3f}, "
        return (
            f"{self.name.replace('_', ' ')}: {areas}"
            f"precision {self.precision:.3f}, recall {self.recall:.3f} "
            f"(TP {self.tp}, FP {self.fp}, FN {self.fn}, TN {self.tn})"
        )

    def figures(self) -> dict:
        """The figures of this pipeline in metrics.json."""
        return {name: value for name, value in asdict(self).items() if name not in ("labels", "probabilities")}


def evaluate(name: str, fitted: PipelineModel, held_out: DataFrame) -> Evaluation:
    """Evaluates ``fitted`` on ``held_out`` (features and label)."""
    scored = fitted.transform(held_out)
    rows = scored.select("label", "prediction", vector_to_array("probability")[1].alias("probability")).toPandas()
    both = rows.label.nunique() == 2
    tn, fp, fn, tp = (int(n) for n in confusion_matrix(rows.label, rows.prediction, labels=[0, 1]).ravel())
    return Evaluation(
        name=name,
        tp=tp,
        tn=tn,
        fp=fp,
        fn=fn,
        area_under_roc=float(roc_auc_score(rows.label, rows.probability)) if both else None,
        area_under_pr=float(average_precision_score(rows.label, rows.probability)) if both else None,
        accuracy=(tp + tn) / len(rows),
        precision=tp / (tp + fp) if tp + fp else 0.0,
        recall=tp / (tp + fn) if tp + fn else 0.0,
        importance=_importance(fitted, scored),
        labels=rows.label.to_numpy(),
        probabilities=rows.probability.to_numpy(),
    )


def _importance(fitted: PipelineModel, scored: DataFrame) -> dict[str, float]:
    """Feature -> share of importance, largest first; the parts of a one-hot vector are summed."""
    attributes = scored.schema["features"].metadata["ml_attr"]["attrs"]
    names = {item["idx"]: item["name"] for kind in attributes.values() for item in kind}
    importance: dict[str, float] = {}
    for index, share in enumerate(fitted.stages[-1].featureImportances.toArray()):
        feature = names[index].split("_vector_")[0].removesuffix("_filled")
        importance[feature] = importance.get(feature, 0.0) + float(share)
    return dict(sorted(importance.items(), key=lambda item: -item[1]))


def write_evaluation(scores: dict[str, Evaluation], best: str, model_zip: Path) -> None:
    """Writes EVALUATION_FILES next to the zip; metrics.json holds the zip's SHA-256, so it names the model it is of."""
    folder = model_zip.parent
    figures = {name: score.figures() for name, score in scores.items()}
    metrics = {"saved": best, "sha256": sha256(model_zip), "models": figures}
    (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n")
    for file, display in (("roc", RocCurveDisplay), ("precision_recall", PrecisionRecallDisplay)):
        figure = Figure(figsize=(6, 5), layout="constrained")
        axes = figure.subplots()
        for score in scores.values():
            if score.area_under_pr is None:
                axes.set_title("No curve: the held-out transactions are all of one class")
            else:
                display.from_predictions(score.labels, score.probabilities, name=score.name.replace("_", " "), ax=axes)
        figure.savefig(folder / f"{file}.png", dpi=120)
    _plot_confusion(scores).savefig(folder / "confusion_matrices.png", dpi=120)
    _plot_importance(scores).savefig(folder / "feature_importance.png", dpi=120)


def _plot_confusion(scores: dict[str, Evaluation]) -> Figure:
    figure = Figure(figsize=(5 * len(scores), 4.2), layout="constrained")
    for axes, score in zip(figure.subplots(1, len(scores)), scores.values(), strict=True):
        counts = np.array([[score.tn, score.fp], [score.fn, score.tp]])
        ConfusionMatrixDisplay(counts, display_labels=["honest", "fraud"]).plot(ax=axes, colorbar=False, cmap="Blues")
        axes.set_title(score.name.replace("_", " "))
    return figure


def _plot_importance(scores: dict[str, Evaluation]) -> Figure:
    figure = Figure(figsize=(6 * len(scores), 5), layout="constrained")
    for axes, score in zip(figure.subplots(1, len(scores)), scores.values(), strict=True):
        names, shares = list(score.importance), list(score.importance.values())
        axes.barh(names[::-1], shares[::-1])
        axes.set_title(f"Feature importance, {score.name.replace('_', ' ')}")
    return figure
