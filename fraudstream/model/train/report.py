"""What the training writes next to the zip: metrics.json and plots."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from fraudstream.model import sha256
from fraudstream.model.quality import Costs, threshold_table
from fraudstream.model.saved import METRICS
from fraudstream.model.train.evaluate import Evaluation
from fraudstream.model.train.pipelines import Parameters
from fraudstream.model.train.plots import PLOTS, write_plots
from fraudstream.model.train.tune import Candidate

EVALUATION_FILES = (METRICS, *PLOTS)


def write_evaluation(
    scores: Mapping[str, Evaluation],
    best: str,
    model_zip: Path,
    *,
    days: float,
    costs: Costs,
    chosen: Mapping[str, Parameters],
    tuning: Sequence[Candidate] = (),
    features: Mapping[str, Mapping] = MappingProxyType({}),
) -> dict:
    """Writes EVALUATION_FILES next to the zip and returns the metrics.

    metrics.json holds the zip's SHA-256, so it names the model it is of. ``days``: of the shop's time that the held-out
    transactions cover. ``chosen``: the classifiers' parameters; ``tuning``: the grid that they were chosen from.
    ``features``: the held-out transactions' ranges, from ``reference``, for the drift of the stream.
    """
    saved = scores[best]
    metrics = {
        "saved": best,
        "sha256": sha256(model_zip),
        "held_out": {"transactions": len(saved.labels), "frauds": int(saved.labels.sum()), "days": round(days, 2)},
        "models": {name: {**score.figures(), "parameters": chosen[name]} for name, score in scores.items()},
        "thresholds": threshold_table(saved.labels, saved.probabilities, days, costs),
        "features": dict(features),
        "tuning": [candidate.figures() for candidate in tuning],
    }
    model_zip.with_name(METRICS).write_text(json.dumps(metrics, indent=2) + "\n")
    write_plots(scores, model_zip.parent)
    return metrics
