"""Figures of a model: areas like scikit-learn's, intervals that hold, thresholds and their costs, reliability."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from fraudstream.model.quality import (
    THRESHOLDS,
    AtThreshold,
    Costs,
    areas,
    draws,
    intervals,
    reliability,
    threshold_table,
    wilson,
)

COSTS = Costs(missed_fraud=100, false_alarm=10)
LABELS = np.array([1, 1, 0, 1, 0, 0, 0, 0], dtype=float)
PROBABILITIES = np.array([0.9, 0.7, 0.7, 0.3, 0.5, 0.2, 0.1, 0.0])


def scored(rows, seed, ties=False):
    """Labels and probabilities of which a fifth are frauds."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.2).astype(float)
    probabilities = np.clip(labels * 0.3 + rng.random(rows) * 0.7, 0, 1)
    return labels, np.round(probabilities, 1) if ties else probabilities


@pytest.mark.parametrize("ties", [False, True])
def test_areas_are_scikit_learns_also_with_ties_and_weights(ties):
    labels, probabilities = scored(300, 1, ties)
    (weights,) = draws(300, resamples=3)
    under_pr, under_roc = areas(labels, probabilities, weights)
    for number, counted in enumerate(weights):
        assert under_pr[number] == pytest.approx(average_precision_score(labels, probabilities, sample_weight=counted))
        assert under_roc[number] == pytest.approx(roc_auc_score(labels, probabilities, sample_weight=counted))
    once = areas(labels, probabilities)
    assert once[0] == pytest.approx([average_precision_score(labels, probabilities)])


def test_intervals_cover_the_figure_of_many_rows_in_19_of_20_samples():
    labels, probabilities = scored(100_000, 2)
    truth = areas(labels, probabilities)[0][0]
    inside = 0
    for begin in range(0, 30_000, 1_000):
        low, high = intervals(labels[begin : begin + 1_000], probabilities[begin : begin + 1_000])["area_under_pr"]
        inside += low <= truth <= high
    assert 26 <= inside <= 30


def test_rows_drawn_at_once_are_few_enough_for_memory(monkeypatch):
    monkeypatch.setattr("fraudstream.model.quality.ELEMENTS", 1_000)
    parts = list(draws(300, resamples=7))
    assert [part.shape for part in parts] == [(3, 300), (3, 300), (1, 300)]
    assert {int(total) for part in parts for total in part.sum(axis=1)} == {300}


def test_figures_without_a_fraud_or_an_alert_have_no_interval():
    found = intervals(np.zeros(50), np.linspace(0, 0.4, 50))
    assert found == {"area_under_pr": None, "area_under_roc": None, "precision": None, "recall": None}


def test_a_threshold_flags_what_is_above_it_and_costs_what_it_misses_and_alarms():
    assert AtThreshold.of(LABELS, PROBABILITIES, 0.5, days=2, costs=COSTS) == AtThreshold(
        threshold=0.5, alerts=3, alerts_per_day=1.5, precision=2 / 3, recall=2 / 3, cost=1 * 100 + 1 * 10
    )
    none = AtThreshold.of(LABELS, PROBABILITIES, 0.95, days=2, costs=COSTS)
    assert (none.alerts, none.precision, none.recall, none.cost) == (0, None, 0.0, 300)


def test_the_cheapest_threshold_is_the_one_nearest_to_the_default_among_equals():
    table = threshold_table(LABELS, PROBABILITIES, 2, COSTS)
    assert [row["threshold"] for row in table["table"]] == list(THRESHOLDS)
    assert (table["default"], table["cheapest"]) == (0.5, 0.25)
    assert threshold_table(LABELS, PROBABILITIES, 2, Costs(0, 0))["cheapest"] == 0.5


def test_reliability_counts_each_range_with_wilsons_interval():
    rows = reliability(np.array([0, 0, 1, 1]), np.array([0.0, 0.01, 0.6, 1.0]))
    assert [(row["from"], row["to"], row["transactions"], row["fraud_share"]) for row in rows] == [
        (0.0, 0.02, 2, 0.0),
        (0.6, 0.8, 1, 1.0),
        (0.8, 1.0, 1, 1.0),
    ]
    assert [row["mean_probability"] for row in rows] == [0.005, 0.6, 1.0]
    assert wilson(0.1, 100) == pytest.approx((0.0552, 0.1744), abs=1e-4)  # Wilson 1927
