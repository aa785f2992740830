"""Compares both pipelines with scikit-learn's HistGradientBoosting on the same rows, features and split.

Per seed a shop of the default size is generated, part A's features are computed, and all three models are fitted on
the first four fifths of the time and judged on the last. Prints the areas under the precision-recall curve per seed,
and the mean difference over all seeds with a 95 % bootstrap interval (transactions drawn again within each seed).

    .venv/bin/python -m benchmarks.training --seeds 42,1,2,3,4
"""

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from pyspark.sql import SparkSession
from sklearn.ensemble import HistGradientBoostingClassifier

from fraudstream.data.generate import generate
from fraudstream.model.quality import areas, draws, interval
from fraudstream.model.train.evaluate import evaluate
from fraudstream.model.train.examples import labelled_examples, split_by_time
from fraudstream.model.train.pipelines import CATEGORIES, CHOSEN, NUMBERS, pipeline
from fraudstream.runtime.batch import batch_session
from fraudstream.settings import load_settings

THEIRS = "HistGradientBoosting"


def main(seeds: Annotated[str, typer.Option(help="Seeds of the shops.")] = "42,1,2,3,4") -> None:
    """Prints one line per seed, and one per pipeline with the mean difference to scikit-learn's."""
    resampled: dict[str, list[np.ndarray]] = {}
    measured: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        batch_session(load_settings(output_dir=folder), "training") as spark,
    ):
        for seed in map(int, seeds.split(",")):
            data = Path(folder, f"data{seed}")
            generate(data, seed=seed, progress=False)
            labels, scores = _scores(spark, data)
            for name, probabilities in scores.items():
                measured.setdefault(name, []).append(float(areas(labels, probabilities)[0][0]))
                redrawn = [areas(labels, probabilities, weights)[0] for weights in draws(len(labels), seed=seed)]
                resampled.setdefault(name, []).append(np.concatenate(redrawn))
            areas_now = ", ".join(f"{name} {each[-1]:.3f}" for name, each in measured.items())
            print(f"seed {seed}, {int(labels.sum())} of {len(labels):,} frauds: {areas_now}", flush=True)
    for name in CHOSEN:
        differences = np.mean(resampled[name], axis=0) - np.mean(resampled[THEIRS], axis=0)
        low, high = interval(differences) or (np.nan, np.nan)
        mean = np.mean(measured[name]) - np.mean(measured[THEIRS])
        print(f"{name} - {THEIRS}: {mean:+.3f} ({low:+.3f} to {high:+.3f})")


def _scores(spark: SparkSession, data: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels of the held-out transactions, and each model's probabilities for them, in the same order."""
    examples = labelled_examples(spark, data).orderBy("created_at", "transaction_id").coalesce(2).cache()
    past, recent = split_by_time(examples)
    ours = {name: evaluate(name, pipeline(name).fit(past), recent) for name in CHOSEN}
    columns = [*NUMBERS, *CATEGORIES, "label"]
    rows, held_out = (part.select(*columns).toPandas() for part in (past, recent))
    examples.unpersist()
    for name in CATEGORIES:
        kinds = sorted(rows[name].dropna().unique())
        rows[name], held_out[name] = (pd.Categorical(each[name], kinds) for each in (rows, held_out))
    theirs = HistGradientBoostingClassifier(random_state=0, categorical_features="from_dtype", early_stopping=False)
    theirs.fit(rows.drop(columns="label"), rows.label)
    labels = next(iter(ours.values())).labels
    assert (labels == held_out.label.to_numpy()).all()
    scores = {name: each.probabilities for name, each in ours.items()}
    return labels, scores | {THEIRS: theirs.predict_proba(held_out.drop(columns="label"))[:, 1]}


if __name__ == "__main__":
    typer.run(main)
