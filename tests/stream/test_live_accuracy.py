"""Live accuracy: only labels that are available count, the newest prediction counts, the end equals pandas."""

import json
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from messages import sender
from sklearn.metrics import average_precision_score, precision_score, recall_score
from stumps import scored, stumps_model

from fraudstream.kafka.client import ensure_topics, recreate_topics
from fraudstream.kafka.probe import wait_for
from fraudstream.model import SavedModel
from fraudstream.schemas import LABEL_TOPIC
from fraudstream.settings import load_settings
from fraudstream.stream.live_accuracy import LiveAccuracy
from fraudstream.stream.publish import write_batch

T = 1_700_000_000


@pytest.fixture
def settings(broker, tmp_path):
    recreate_topics({"bootstrap_servers": [broker]})
    ensure_topics({"bootstrap_servers": [broker]}, (LABEL_TOPIC,))
    settings = load_settings(output_dir=tmp_path / "output", bootstrap_servers=broker)
    (settings.checkpoints / "predictions" / "commits").mkdir(parents=True)
    return settings


@pytest.fixture
def saved(tmp_path):
    saved = SavedModel.open(stumps_model(tmp_path / "my_ML_model.zip"))
    held_out = {"tp": 90, "fp": 10, "fn": 10, "tn": 890, "precision": 0.9, "recall": 0.9, "area_under_pr": 0.9}
    metrics = {"saved": "boosted", "sha256": saved.sha256, "models": {"boosted": held_out}}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    return saved


@pytest.fixture
def labels(broker):
    """A function that publishes (transaction_id, is_fraud) labels that become available at a time."""
    with sender(broker) as send:

        def publish(available_at, *rows):
            names = ("transaction_id", "is_fraud")
            send(
                LABEL_TOPIC, [dict(zip(names, row, strict=True)) | {"label_available_at": available_at} for row in rows]
            )

        yield publish


def predict(settings, batch_id, *rows):
    write_batch(scored(*rows), settings.predictions, batch_id)
    (settings.checkpoints / "predictions" / "commits" / str(batch_id)).write_text("v1\n{}")


def counts(live):
    now = live.accuracy()
    return now.labelled, now.frauds, now.flagged, now.found


def test_a_label_counts_from_the_moment_at_which_it_is_available(settings, saved, labels):
    now = SimpleNamespace(time=T)
    live = LiveAccuracy(settings, saved, note=[].append, clock=lambda: now.time)
    assert live.shown()[1] == "No label has become available yet."
    predict(settings, 0, ("t1", 80.0, 40), ("t2", 80.0, 40), ("t3", 20.0, 20))
    labels(T, ("t1", True), ("unmatched", True))
    labels(T + 60, ("t2", False), ("t3", True))
    assert wait_for(lambda: counts(live) == (1, 1, 1, 1), 20, print)
    now.time += 60
    assert wait_for(lambda: counts(live) == (3, 2, 2, 1), 20, print)
    live.finish()


def test_the_newest_prediction_counts(settings, saved, labels):
    predict(settings, 0, ("t1", 80.0, 40))
    predict(settings, 1, ("t1", 20.0, 20))
    labels(T, ("t1", False))
    live = LiveAccuracy(settings, saved, note=[].append)
    live.finish()
    assert counts(live) == (1, 0, 0, 0)


def test_the_final_figures_are_those_of_scikit_learn_and_the_training_is_beside_them(settings, saved, labels):
    draw = np.random.default_rng(3)
    rows = [(f"t{n}", float(draw.integers(0, 101)), int(draw.integers(18, 60))) for n in range(400)]
    for batch_id in range(4):
        predict(settings, batch_id, *rows[100 * batch_id : 100 * batch_id + 100])
    fraud = {key: bool(draw.random() < 0.1 + 0.3 * (l1_ratio > 50)) for key, l1_ratio, _ in rows}
    labels(int(time.time()) + 3600, *fraud.items())  # published early, because the replay has ended
    live = LiveAccuracy(settings, saved, note=[].append)
    live.finish()
    stored = pd.read_parquet(settings.predictions)
    truth, flagged = stored.transaction_id.map(fraud).astype(int), (stored.prediction == 1).astype(int)
    now = live.accuracy()
    assert (now.labelled, now.frauds, now.flagged) == (400, truth.sum(), flagged.sum())
    assert now.precision.value == precision_score(truth, flagged)
    assert now.recall.value == recall_score(truth, flagged)
    assert now.area.value == pytest.approx(average_precision_score(truth, stored.probability.str[1]), abs=1e-12)
    table, verdict = live.shown()
    assert table.transactions.tolist()[:2] == ["training, held out", "all so far"]
    assert table.precision[0] == "0.90 (0.83 to 0.94)"
    assert table.labelled.tolist() == [1000, 400, 400]
    assert verdict.startswith("Significantly lower than in training: precision, recall, area under the")


def test_figures_as_good_as_the_training_s_are_not_called_lower(settings, saved, labels):
    rows = [(f"t{n}", 80.0 if n < 50 else 20.0, 40 if n < 50 else 20) for n in range(100)]
    predict(settings, 0, *rows)
    labels(T, *((key, number < 50) for number, (key, *_) in enumerate(rows)))
    live = LiveAccuracy(settings, saved, note=[].append)
    live.finish()
    assert live.shown()[1] == "No figure is significantly lower than in training."
