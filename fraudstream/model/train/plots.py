"""The pictures of the evaluation: curves, confusion matrices, reliability, feature importance."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay, PrecisionRecallDisplay, RocCurveDisplay

from fraudstream.model.train.evaluate import Evaluation

PLOTS = ("roc.png", "precision_recall.png", "confusion_matrices.png", "reliability.png", "feature_importance.png")


def write_plots(scores: Mapping[str, Evaluation], folder: Path) -> None:
    """Writes PLOTS to ``folder``."""
    figures = (
        _curve(scores, RocCurveDisplay),
        _curve(scores, PrecisionRecallDisplay),
        _confusion(scores),
        _reliability(scores),
        _importance(scores),
    )
    for name, figure in zip(PLOTS, figures, strict=True):
        figure.savefig(folder / name, dpi=120)


def _curve(scores: Mapping[str, Evaluation], display: type[RocCurveDisplay | PrecisionRecallDisplay]) -> Figure:
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    for score in scores.values():
        if score.area_under_pr is None:
            axes.set_title("No curve: the held-out transactions are all of one class")
        else:
            display.from_predictions(score.labels, score.probabilities, name=score.name.replace("_", " "), ax=axes)
    return figure


def _confusion(scores: Mapping[str, Evaluation]) -> Figure:
    figure = Figure(figsize=(5 * len(scores), 4.2), layout="constrained")
    for axes, score in zip(figure.subplots(1, len(scores)), scores.values(), strict=True):
        counts = np.array([[score.tn, score.fp], [score.fn, score.tp]])
        ConfusionMatrixDisplay(counts, display_labels=["honest", "fraud"]).plot(ax=axes, colorbar=False, cmap="Blues")
        axes.set_title(score.name.replace("_", " "))
    return figure


def _reliability(scores: Mapping[str, Evaluation]) -> Figure:
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", label="a probability that means what it says")
    for score in scores.values():
        means = [row["mean_probability"] for row in score.reliability]
        shares = np.array([row["fraud_share"] for row in score.reliability])
        ends = np.abs(np.array([row["interval"] for row in score.reliability]).T - shares)
        axes.errorbar(means, shares, ends, marker="o", capsize=3, label=score.name.replace("_", " "))
    axes.set(xlabel="predicted probability (mean of the range)", ylabel="share of frauds", title="Reliability")
    axes.legend()
    return figure


def _importance(scores: Mapping[str, Evaluation]) -> Figure:
    figure = Figure(figsize=(6 * len(scores), 5), layout="constrained")
    for axes, score in zip(figure.subplots(1, len(scores)), scores.values(), strict=True):
        names, shares = list(score.importance), list(score.importance.values())
        axes.barh(names[::-1], shares[::-1])
        axes.set_title(f"Feature importance, {score.name.replace('_', ' ')}")
    return figure
