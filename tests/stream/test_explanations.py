"""Each prediction stores its model's version, and a flagged one its reasons; no failure of these loses a prediction."""

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql.types import StructType
from stumps import probability, scored, stumps_model
from zips import CLASSIFICATION, TREES, assembler, entries, small_model, write_zip

from fraudstream.model import SavedModel
from fraudstream.model.explain.reasons import Explainer, Reason
from fraudstream.model.explain.words import in_words
from fraudstream.schemas import STREAM_COLUMNS
from fraudstream.stream.explanations import EXPLANATION, EXPLANATION_COLUMNS, Explanations, stored_alerts
from fraudstream.stream.publish import write_batch
from fraudstream.stream.sink import stamped
from fraudstream.stream.store import batch_file, read_batch

ROWS = scored(("t1", 80.0, 40), ("t2", 80.0, 20), ("t3", 20.0, 40), ("t4", 20.0, 20))


@pytest.fixture
def notes():
    return []


@pytest.fixture
def saved(tmp_path):
    return SavedModel.open(stumps_model(tmp_path / "my_ML_model.zip"))


@pytest.fixture
def explanations(saved, notes):
    return Explanations(saved, saved.match(STREAM_COLUMNS), note=notes.append)


def reasons(table):
    return [
        each and [(r["feature"], r["value"], r["contribution"]) for r in each] for each in table["reasons"].to_pylist()
    ]


def test_new_columns_follow_all_others_and_only_flagged_rows_are_explained(explanations, saved, notes):
    table = stamped(ROWS, explanations)
    assert table.column_names == [*ROWS.column_names, "predicted_at", *EXPLANATION_COLUMNS]
    assert reasons(table) == [
        [("l1_ratio", "80.0", 1.0), ("age", "40", 0.5)],
        [("l1_ratio", "80.0", 1.0)],  # the age speaks against fraud
        None,
        None,
    ]
    assert table["base_value"].to_pylist() == [0.0, 0.0, None, None]
    assert table["model_version"].to_pylist() == [saved.sha256[:12]] * 4
    assert notes == [f"Model {saved.version}: the reasons are Shapley values of the margin, base value 0.000."]


def test_base_value_and_contributions_are_the_margin(explanations):
    row = stamped(ROWS, explanations).slice(0, 1).to_pylist()[0]
    margin = row["base_value"] + sum(each["contribution"] for each in row["reasons"])
    assert probability(margin) == row["probability"][1]


def test_a_threshold_below_one_half_explains_its_alerts_too(saved, notes):
    low = Explanations(saved, saved.match(STREAM_COLUMNS), threshold=0.2, note=notes.append)
    table = stamped(ROWS, low)
    assert reasons(table)[2:] == [[("age", "40", 0.5)], None]
    assert stored_alerts(table).tolist() == [True, True, True, False]
    assert table["alert_threshold"].to_pylist() == [0.2] * 4


def test_at_one_half_the_model_s_own_prediction_counts(explanations):
    own = ROWS.set_column(ROWS.column_names.index("prediction"), "prediction", [[0.0, 1.0, 1.0, 0.0]])
    assert stored_alerts(stamped(own, explanations)).tolist() == [False, True, True, False]


def test_whatever_explaining_raises_the_predictions_are_kept_and_it_is_said_once(explanations, notes, monkeypatch):
    def fails(*arguments, **options):
        raise ZeroDivisionError("no such luck")

    notes.clear()
    monkeypatch.setattr(Explainer, "reasons", fails)
    for _ in range(2):
        table = stamped(ROWS, explanations)
        assert table.select(ROWS.column_names) == ROWS
        assert reasons(table) == table["base_value"].to_pylist() == [None] * 4
        assert table["model_version"].to_pylist() == [explanations.version] * 4
    said = f"Model {explanations.version}: predictions without reasons: ZeroDivisionError: no such luck. The stream"
    assert notes == [f"{said} continues."]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_micro_batches_of_any_size_are_explained(explanations, notes, count):
    notes.clear()
    table = stamped(ROWS.slice(0, 1).take(pa.array([0] * count, pa.int64())), explanations)
    assert [len(each) for each in reasons(table)] == [2] * count
    assert table.schema == stamped(ROWS, explanations).schema
    assert notes == []


def test_rows_that_are_not_what_was_scored_have_no_reasons_and_it_is_said_once(explanations, notes):
    notes.clear()
    other = ROWS.set_column(ROWS.column_names.index("l1_ratio"), "l1_ratio", [[20.0, 80.0, 80.0, 80.0]])
    assert reasons(stamped(other, explanations)) == [None, [("l1_ratio", "80.0", 1.0)], None, None]
    assert len(notes) == 1
    assert "do not add up to the probability" in notes[0]


def test_a_model_without_reasons_says_so_in_one_line(tmp_path, notes):
    bayes = {**TREES, "class": f"{CLASSIFICATION}.NaiveBayesModel"}
    other = SavedModel.open(write_zip(tmp_path / "other.zip", entries(assembler("l1_ratio", "age"), bayes)))
    table = stamped(ROWS, Explanations(other, other.match(STREAM_COLUMNS), note=notes.append))
    assert reasons(table) == table["base_value"].to_pylist() == [None] * 4
    why = "no reasons for this kind of model (NaiveBayesModel)"
    assert notes == [f"Model {other.version}: {why}. Predictions continue without reasons."]


def test_a_model_whose_trees_cannot_be_read_predicts_without_reasons(tmp_path, notes):
    hollow = SavedModel.open(small_model(tmp_path / "hollow.zip"))
    explanations = Explanations(hollow, hollow.match(STREAM_COLUMNS), note=notes.append)
    assert reasons(stamped(ROWS, explanations)) == [None] * 4
    assert len(notes) == 1
    assert notes[0].endswith("Predictions continue without reasons.")


def test_spark_and_pandas_read_the_columns_back(spark, explanations, tmp_path):
    table = stamped(ROWS, explanations)
    write_batch(table, tmp_path / "predictions", 0)
    schema = StructType.fromDDL(f"transaction_id string, {EXPLANATION}, batch_id bigint")
    rows = spark.read.schema(schema).parquet(str(tmp_path / "predictions")).orderBy("transaction_id").collect()
    assert [row.asDict(recursive=True)["reasons"] for row in rows] == table["reasons"].to_pylist()
    assert [row.base_value for row in rows] == [0.0, 0.0, None, None]
    first, *_, last = pd.read_parquet(tmp_path / "predictions").reasons
    assert [in_words(Reason(**each)) for each in first] == ["L1 share 80 %", "age 40 years"]
    assert last is None


def test_a_file_of_an_earlier_version_has_nulls_for_what_it_lacks(tmp_path):
    write_batch(ROWS, tmp_path, 0)
    table = read_batch(batch_file(tmp_path, 0), ["transaction_id", "prediction"], added=EXPLANATION_COLUMNS)
    assert table["model_version"].to_pylist() == [None] * 4
    assert stored_alerts(table).tolist() == [True, True, False, False]
