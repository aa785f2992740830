"""Figures with intervals, as the literature and scikit-learn give them, and what counts as significantly lower."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from fraudstream.stream.accuracy import Accuracy, Figure, area_figure, average_precision, proportion

NONE = Figure(None, (0.0, 1.0), 0)


@pytest.mark.parametrize(
    ("part", "count", "interval"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (29, 29, (0.8830, 1.0))],
)
def test_wilson_s_interval_is_that_of_newcombe_1998(part, count, interval):
    figure = proportion(part, count)
    assert (figure.value, figure.count) == (part / count, count)
    assert figure.interval == pytest.approx(interval, abs=5e-5)


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_scikit_learn_s_with_ties_too(seed):
    draw = np.random.default_rng(seed)
    probability, fraud = draw.integers(0, 20, 300) / 20, draw.random(300) < 0.1
    assert average_precision(probability, fraud) == pytest.approx(
        average_precision_score(fraud, probability), abs=1e-12
    )


def test_without_cases_there_are_no_figures():
    nothing = np.array([], dtype=float), np.array([], dtype=bool), np.array([], dtype=bool)
    assert Accuracy.of(*nothing) == Accuracy(0, 0, 0, 0, NONE, NONE, NONE)
    assert str(NONE) == "none yet"
    assert not NONE.lower_than(proportion(5, 10))
    assert not proportion(5, 10).lower_than(NONE)


def test_counts_and_figures_of_labelled_transactions():
    probability = np.array([0.9, 0.8, 0.4, 0.2])
    found = Accuracy.of(probability, probability > 0.5, np.array([True, False, True, False]))
    assert (found.labelled, found.frauds, found.flagged, found.found) == (4, 2, 2, 1)
    assert (found.precision.value, found.recall.value, found.area.value) == (0.5, 0.5, pytest.approx(5 / 6))
    assert str(found.precision) == "0.50 (0.09 to 0.91)"


# Newcombe (1998), the second paper: 56/70 against 48/80 differ by 0.2, with an interval of 0.0524 to 0.3339
def test_a_difference_counts_where_newcombe_s_interval_excludes_zero():
    assert proportion(48, 80).lower_than(proportion(56, 70))
    assert not proportion(56, 70).lower_than(proportion(48, 80))
    assert not proportion(6, 10).lower_than(proportion(56, 70))


def test_the_logit_interval_of_an_area_becomes_narrower_with_more_frauds():
    few, many = area_figure(0.7, 20), area_figure(0.7, 200)
    assert few.interval == pytest.approx((0.47276, 0.85859), abs=5e-6)
    assert few.interval[0] < many.interval[0] < 0.7 < many.interval[1] < few.interval[1]
    assert area_figure(1.0, 20).interval == proportion(20, 20).interval


def test_of_a_few_cases_nothing_is_called_significantly_lower():
    assert not proportion(2, 4).lower_than(proportion(88, 100))
    assert proportion(5, 10).lower_than(proportion(88, 100))


def test_the_figures_that_are_significantly_lower_are_named():
    trained = Accuracy.trained(tp=80, fp=20, fn=20, tn=900, area_under_pr=0.8)
    worse = Accuracy.trained(tp=30, fp=70, fn=10, tn=900, area_under_pr=0.7)
    assert worse.lower_than(trained) == ["precision"]
    assert trained.lower_than(worse) == []
