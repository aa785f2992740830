"""backtest: the stored features scored by another model or threshold, and one line for what cannot be compared."""

import pandas as pd
import pytest
from batch_twin import batch_predictions, features_of_new
from typer.testing import CliRunner

from fraudstream.cli import app
from fraudstream.errors import ModelError, OutputError, SettingsError, command
from fraudstream.model import SavedModel
from fraudstream.run.backtest import Backtest, backtest, scores
from fraudstream.settings import load_settings
from fraudstream.stream.publish import write_batch


@pytest.fixture
def a_run(settings, shop_dir):
    """Settings of a run on the generated shop, whose predictions are not there yet."""
    return load_settings(output_dir=settings.output_dir, data_dir=shop_dir)


def store(settings, rows, batch_id=0):
    """Writes ``rows`` (Spark) as the predictions of a micro-batch."""
    write_batch(rows.toArrow(), settings.predictions, batch_id)


def stored_run(settings, spark, probabilities):
    """Predictions t0, t1, ... of these probabilities."""
    rows = [(f"t{number}", [1 - p, p], float(p > 0.5)) for number, p in enumerate(probabilities)]
    store(settings, spark.createDataFrame(rows, "transaction_id string, probability array<double>, prediction double"))


def test_the_model_of_the_run_gives_the_stored_features_their_own_scores(a_run, spark, model_dir, shop_dir, tmp_path):
    expected = batch_predictions(spark, shop_dir, model_dir / "my_ML_model.zip", tmp_path / "twin")
    features = features_of_new(spark, shop_dir)
    old = features.selectExpr(
        *(f"cast(0 as bigint) as {name}" if name == "l1_count" else name for name in features.columns)
    )
    store(a_run, old.selectExpr("*", "cast(0 as double) as prediction"), 9)
    store(a_run, features.selectExpr("*", "cast(0 as double) as prediction"), 10)
    found = scores(spark, a_run, SavedModel.open(model_dir / "my_ML_model.zip"))
    assert found == {key: row["probability"][1] for key, row in expected.items()}


def test_a_lower_threshold_says_who_changes_and_what_it_brings(a_run, spark, monkeypatch):
    stored_run(a_run, spark, [0.9, 0.6, 0.4, 0.3, 0.1])
    monkeypatch.setattr("fraudstream.run.backtest.truth", lambda data_dir: {"t0", "t2"})
    found = backtest(a_run, threshold=0.25)
    assert found.changed.transaction_id.tolist() == ["t2", "t3"]
    assert str(found).splitlines() == [
        "        alerts  frauds found  precision            recall               area under PR",
        "before  2       1             0.50 (0.09 to 0.91)  0.50 (0.09 to 0.91)  0.833",
        "after   4       2             0.50 (0.15 to 0.85)  1.00 (0.34 to 1.00)  0.833",
        "before: stored predictions above 0.5; after: stored predictions above 0.25; 5 transactions",
        "2 new alerts (1 of them frauds), 0 no longer alerts (0 of them frauds).",
        "transaction_id  before  after  change     truth",
        "t2              0.400   0.400  new alert  fraud",
        "t3              0.300   0.300  new alert  honest",
    ]


def test_without_labels_alerts_are_counted_only(a_run, spark, monkeypatch):
    stored_run(a_run, spark, [0.9, 0.6])
    monkeypatch.setattr("fraudstream.run.backtest.truth", lambda data_dir: None)
    assert str(backtest(a_run, threshold=0.7)).splitlines()[2:] == [
        "after   1",
        "before: stored predictions above 0.5; after: stored predictions above 0.7; 2 transactions",
        "No true labels (new_fraud_transaction.csv): precision and recall are unknown.",
        "0 new alerts, 1 no longer alerts.",
        "transaction_id  before  after  change     truth",
        "t1              0.600   0.600  no longer",
    ]


def test_the_largest_changes_come_first():
    rows = {
        "transaction_id": ["a", "b", "c"],
        "probability_before": [0.4, 0.1, 0.9],
        "probability_after": [0.6, 0.9, 0.95],
        "alert_before": [False, False, True],
        "alert_after": [True, True, True],
    }
    assert Backtest(pd.DataFrame(rows), "", "").changed.transaction_id.tolist() == ["b", "a"]


def test_what_cannot_be_compared_is_one_line(a_run, spark, tmp_path):
    with pytest.raises(SettingsError, match=r"^Nothing to compare with: name another model \(--model\) or another"):
        backtest(a_run)
    with pytest.raises(SettingsError, match=r"^--threshold 1.5: must be above 0 and below 1\.$"):
        backtest(a_run, threshold=1.5)
    with pytest.raises(OutputError) as no_run:
        backtest(a_run, threshold=0.3)
    assert str(no_run.value) == f"{a_run.predictions}: no predictions. Make them with: {command('run')}"
    stored_run(a_run, spark, [0.9])
    (tmp_path / "text.zip").write_text("no zip")
    for name, said in (("missing.zip", "no such model"), ("text.zip", "not a zip file")):
        with pytest.raises(ModelError, match=rf"^{tmp_path / name}: .*{said}"):
            backtest(a_run, tmp_path / name)


def test_the_command_prints_the_comparison(a_run, spark, monkeypatch):
    stored_run(a_run, spark, [0.9, 0.6])
    monkeypatch.setenv("FRAUDSTREAM_OUTPUT_DIR", str(a_run.output_dir))
    done = CliRunner().invoke(app, ["backtest", "--threshold", "0.7"])
    assert (done.exit_code, "0 new alerts" in done.output) == (0, True), done.output
