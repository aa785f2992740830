"""Drift in the health panel: the last ten minutes only, each transaction once, nothing before there are enough rows."""

import pyarrow as pa

from fraudstream.model.drift import MIN_ROWS, reference
from fraudstream.stream.feature_drift import EVERY_S, WINDOW_S, FeatureDrift

METHODS = ["OVO", "Gopay"]


def table(first, rows, ts, method=None):
    """A micro-batch; ``method``: None for both methods in turn."""
    methods = [method or METHODS[number % 2] for number in range(rows)]
    ids = [f"t{first + number}" for number in range(rows)]
    return pa.table({"transaction_id": ids, "ts": [ts] * rows, "payment_method": methods})


FEATURES = reference(table(0, 2 * MIN_ROWS, 0).to_pandas(), ["payment_method"], [])


def test_drift_is_named_once_there_are_enough_rows_and_forgotten_after_ten_minutes():
    drift = FeatureDrift(FEATURES)
    drift.add(table(0, MIN_ROWS - 1, 100, "OVO"))
    assert drift.text(100) == f"not yet known, {MIN_ROWS - 1} of {MIN_ROWS} transactions"
    drift.add(table(MIN_ROWS, 1, 101, "OVO"))
    assert drift.text(100 + EVERY_S).startswith("payment_method 3.")
    drift.add(table(2 * MIN_ROWS, MIN_ROWS, 101 + WINDOW_S))
    assert drift.text(100 + 2 * EVERY_S) == "none"


def test_a_revised_prediction_counts_once():
    drift = FeatureDrift(FEATURES)
    for _ in range(3):
        drift.add(table(0, MIN_ROWS // 2, 100))
    assert drift.text(0) == f"not yet known, {MIN_ROWS // 2} of {MIN_ROWS} transactions"


def test_a_model_trained_elsewhere_has_no_reference():
    drift = FeatureDrift(None)
    drift.add(pa.table({"transaction_id": ["t1"], "ts": [1]}))
    assert (drift.columns, drift.text(0)) == ((), "")


def test_a_feature_that_an_older_file_lacks_is_missing_everywhere():
    drift = FeatureDrift(FEATURES)
    rows = table(0, MIN_ROWS, 100).drop_columns("payment_method")
    drift.add(rows.append_column("payment_method", pa.nulls(MIN_ROWS)))
    assert drift.text(0).startswith("payment_method ")
