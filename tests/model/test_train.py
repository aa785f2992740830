"""The training: content of the zip, evaluation, split by time; the trained model predicts any row."""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.classification import GBTClassificationModel, RandomForestClassificationModel
from pyspark.sql import functions as F
from shop import customer, event, fraud, transaction, write_csv

from fraudstream.data.frames import read_csv
from fraudstream.errors import DataError, ModelError
from fraudstream.model import FOLDER, SavedModel, pack, sha256
from fraudstream.model.quality import THRESHOLDS, Costs
from fraudstream.model.train.evaluate import evaluate
from fraudstream.model.train.examples import columns_with_values, labelled_examples, split_by_time
from fraudstream.model.train.fit import save
from fraudstream.model.train.pipelines import CATEGORIES, CHOSEN, GRID, NUMBERS, pipeline
from fraudstream.model.train.plots import PLOTS
from fraudstream.model.train.report import write_evaluation
from fraudstream.model.train.tune import best, tune
from fraudstream.schemas import STREAM_COLUMNS
from fraudstream.settings import PROJECT
from fraudstream.storage.hadoop import hadoop_glob

PNG = b"\x89PNG\r\n"
NOON = "2024-01-01 12:00:00.000"


@pytest.fixture(scope="module")
def metrics(model_dir):
    return json.loads((model_dir / "metrics.json").read_text())


@pytest.fixture(scope="module")
def fitted(spark, model_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(model_dir / "my_ML_model.zip") as archive:
        archive.extractall(folder)
    return PipelineModel.load(hadoop_glob(folder / "my_ML_model"))


def test_metrics_name_the_saved_model_and_the_figures_of_both(metrics, model_dir):
    assert set(metrics) == {"saved", "sha256", "held_out", "models", "thresholds", "features", "tuning"}
    assert metrics["sha256"] == sha256(model_dir / "my_ML_model.zip")
    assert set(metrics["models"]) == {"random_forest", "gradient_boosted_trees"}
    figures = ["name", "tp", "tn", "fp", "fn", "area_under_roc", "area_under_pr", "accuracy", "precision", "recall"]
    for model in metrics["models"].values():
        assert list(model) == [*figures, "intervals", "reliability", "importance", "parameters"]
        assert set(model["intervals"]) == {"area_under_roc", "area_under_pr", "precision", "recall"}
        assert sum(row["transactions"] for row in model["reliability"]) == metrics["held_out"]["transactions"]
        assert set(model["importance"]) <= {*CATEGORIES, *NUMBERS}
        assert sum(model["importance"].values()) == pytest.approx(1)


def test_the_one_with_the_larger_area_under_the_precision_recall_curve_is_saved(metrics, fitted):
    areas = {name: model["area_under_pr"] for name, model in metrics["models"].items()}
    assert metrics["saved"] == max(areas, key=areas.get)
    kinds = {"random_forest": RandomForestClassificationModel, "gradient_boosted_trees": GBTClassificationModel}
    assert type(fitted.stages[-1]) is kinds[metrics["saved"]]


def test_the_last_fifth_of_the_time_is_what_judges(metrics, spark, shop_dir):
    sold = read_csv(spark, shop_dir, "transactions.csv").select("created_at", "transaction_id").orderBy("created_at")
    frauds = {
        row.transaction_id for row in read_csv(spark, shop_dir, "fraud_transaction.csv").where("is_fraud").collect()
    }
    recent = sold.collect()[-(sold.count() // 5 + 1) :]
    for model in metrics["models"].values():
        assert model["tp"] + model["fn"] == sum(row.transaction_id in frauds for row in recent) > 0
        assert model["tp"] + model["fn"] + model["fp"] + model["tn"] == len(recent)


def test_the_ranges_of_each_feature_count_the_held_out_transactions(metrics):
    assert set(metrics["features"]) == {*CATEGORIES, *NUMBERS}
    assert {sum(ranges["counts"]) for ranges in metrics["features"].values()} == {metrics["held_out"]["transactions"]}


def test_thresholds_are_those_of_the_saved_model_and_its_days(metrics, spark, shop_dir):
    saved, table = metrics["models"][metrics["saved"]], metrics["thresholds"]
    assert [row["threshold"] for row in table["table"]] == list(THRESHOLDS)
    (half,) = (row for row in table["table"] if row["threshold"] == table["default"] == 0.5)
    assert (half["alerts"], half["recall"]) == (saved["tp"] + saved["fp"], saved["recall"])
    assert half["cost"] == saved["fn"] * table["costs"]["missed_fraud"] + saved["fp"] * table["costs"]["false_alarm"]
    assert half["alerts_per_day"] == pytest.approx(half["alerts"] / metrics["held_out"]["days"], rel=0.01)
    assert min(table["table"], key=lambda row: row["cost"])["cost"] == next(
        row["cost"] for row in table["table"] if row["threshold"] == table["cheapest"]
    )


def test_the_model_is_saved_in_a_temporary_folder_of_any_name(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "Büro [1], #2 100%20"))
    Path(tempfile.tempdir).mkdir()
    save(fitted, tmp_path / "models" / "my_ML_model.zip")
    assert len(SavedModel.open(tmp_path / "models" / "my_ML_model.zip").signature.stages) == len(fitted.stages)
    assert list(Path(tempfile.tempdir).iterdir()) == []


def test_a_bad_model_never_replaces_a_good_one(fitted, tmp_path, monkeypatch):
    target = tmp_path / "my_ML_model.zip"
    target.write_bytes(b"a good one")
    monkeypatch.setattr("fraudstream.model.train.fit.hadoop_path", lambda path: f"{path.as_uri()}%20stray")
    with pytest.raises(ModelError, match=f"^{target}: no my_ML_model/metadata and my_ML_model/stages in it "):
        save(fitted, target)
    monkeypatch.undo()
    monkeypatch.setattr("fraudstream.model.train.fit.STREAM_COLUMNS", {"age": "int"})
    with pytest.raises(ModelError, match="the model needs columns that the stream does not have: time_of_day, "):
        save(fitted, target)
    assert ([path.name for path in tmp_path.iterdir()], target.read_bytes()) == ([target.name], b"a good one")


NO_SPARK = """
from fraudstream.errors import RuntimeMissingError
from fraudstream.runtime import batch
from fraudstream.settings import load_settings

batch.engine_options = lambda settings, more: [("spark.driver.extraJavaOptions", "-Xss1nonsense")]
try:
    with batch.batch_session(load_settings(), "training"):
        print("started")
except RuntimeMissingError as error:
    print(error)
"""


def test_a_spark_that_does_not_start_is_one_line_and_java_s_reason_is_in_a_log(settings):
    environment = {**os.environ, "FRAUDSTREAM_OUTPUT_DIR": str(settings.output_dir)}
    command = [sys.executable, "-c", NO_SPARK]
    ended = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60)
    log = settings.logs / "training.log"
    assert (ended.stdout, ended.stderr) == (f"Spark does not start: the last lines of {log} say why.\n", "")
    assert "Invalid thread stack size" in log.read_text()


def test_plots_are_pictures(model_dir):
    assert {path.name for path in model_dir.iterdir()} == {"my_ML_model.zip", "metrics.json", *PLOTS}
    assert {(model_dir / name).read_bytes()[:6] for name in PLOTS} == {PNG}


def test_the_zip_holds_metadata_and_stages_in_one_folder(model_dir):
    with zipfile.ZipFile(model_dir / "my_ML_model.zip") as archive:
        names = archive.namelist()
    assert {tuple(name.split("/")[:2]) for name in names} == {("my_ML_model", "metadata"), ("my_ML_model", "stages")}
    assert len({name.split("/")[2] for name in names if "/stages/" in name}) == 5


def test_every_stage_that_can_meet_an_invalid_value_keeps_it(fitted):
    kinds = {
        type(stage).__name__: stage.getHandleInvalid() for stage in fitted.stages if stage.hasParam("handleInvalid")
    }
    assert kinds == {"StringIndexerModel": "keep", "OneHotEncoderModel": "keep", "VectorAssembler": "keep"}


def test_categories_never_seen_and_values_that_are_missing_are_predicted(fitted, spark):
    numbers, categories = [f"1 as {name}" for name in NUMBERS], [f"'never seen' as {name}" for name in CATEGORIES]
    missing = [f"cast(null as double) as {name}" for name in NUMBERS]
    missing += [f"cast(null as string) as {name}" for name in CATEGORIES]
    rows = spark.range(1).selectExpr(*numbers, *categories).unionByName(spark.range(1).selectExpr(*missing))
    assert {row.prediction for row in fitted.transform(rows).collect()} <= {0.0, 1.0}
    assert fitted.transform(rows).count() == 2


def test_split_is_by_time_not_at_random(spark):
    moments = [(datetime(2024, 1, 1) + timedelta(hours=number), number) for number in (3, 0, 9, 1, 8, 2, 7, 4, 6, 5)]
    past, recent = split_by_time(spark.createDataFrame(moments, "created_at timestamp_ntz, number int"))
    assert sorted(row.number for row in past.collect()) == list(range(8))
    assert sorted(row.number for row in recent.collect()) == [8, 9]


def write_past(folder, labels):
    """A past of two transactions, t1 and t2, and these labels."""
    write_csv(folder / "customer.csv", [customer(1)])
    write_csv(folder / "transactions.csv", [transaction(f"t{i}", f"s{i}", NOON) for i in (1, 2)])
    write_csv(folder / "browsing_behaviour.csv", [event(f"s{i}", "CO", NOON) for i in (1, 2)])
    write_csv(folder / "fraud_transaction.csv", labels)
    return folder


def test_a_transaction_without_a_label_is_honest_and_both_kinds_weigh_the_same(spark, tmp_path):
    examples = labelled_examples(spark, write_past(tmp_path, [fraud("t2"), fraud("t9")])).collect()
    assert {row.transaction_id: (row.label, row.weight) for row in examples} == {"t1": (0.0, 1.0), "t2": (1.0, 1.0)}


@pytest.mark.parametrize(("labels", "frauds"), [([fraud("t9")], 0), ([fraud("t1"), fraud("t2")], 2)])
def test_labels_of_one_kind_are_refused(spark, tmp_path, labels, frauds):
    with pytest.raises(DataError) as caught:
        labelled_examples(spark, write_past(tmp_path, labels))
    assert str(caught.value) == (
        f"fraud_transaction.csv: {frauds} frauds among the transactions that have a session in browsing_behaviour.csv "
        "(2). Training needs both classes: check transaction_id and is_fraud."
    )


def test_a_last_fifth_without_fraud_judges_without_curves(fitted, spark, tmp_path):
    honest = labelled_examples(spark, write_past(tmp_path, [fraud("t2")])).where(F.col("label") == 0)
    scores = evaluate("random_forest", fitted, honest)
    assert (scores.area_under_roc, scores.area_under_pr) == (None, None)
    assert (scores.tp + scores.fn, scores.tn + scores.fp) == (0, 1)
    assert str(scores).startswith("random forest: areas under PR and ROC unknown, precision ")
    (tmp_path / "my_ML_model.zip").touch()
    both = dict.fromkeys(("random_forest", "gradient_boosted_trees"), scores)
    write_evaluation(
        both, "random_forest", tmp_path / "my_ML_model.zip", days=1, costs=Costs(100, 10), chosen=CHOSEN, tuning=[]
    )
    figures = json.loads((tmp_path / "metrics.json").read_text())["models"]["random_forest"]
    assert (figures["area_under_roc"], figures["area_under_pr"]) == (None, None)
    assert (tmp_path / "roc.png").read_bytes()[:6] == PNG


SMALL_GRID = {
    "random_forest": [
        {"numTrees": 1, "maxDepth": 1, "weighted": False},
        {"numTrees": 5, "maxDepth": 6, "weighted": True},
    ],
    "gradient_boosted_trees": [{"maxIter": 2, "maxDepth": 3, "stepSize": 0.3, "weighted": False}],
}


@pytest.mark.faults
def test_tuning_predicts_each_fold_from_the_time_before_it(spark, shop_dir, monkeypatch):
    past, _ = split_by_time(labelled_examples(spark, shop_dir).cache())
    splits = []
    monkeypatch.setattr(
        "fraudstream.model.train.tune.split_by_time",
        lambda rows, share: splits.append(split_by_time(rows, share)) or splits[-1],
    )
    notes = []
    candidates = tune(past, notes.append, SMALL_GRID)
    for before, after in splits:
        latest = before.agg(F.max("created_at")).first()[0]
        earliest = after.agg(F.min("created_at")).first()[0]
        assert latest < earliest
    assert [(each.name, each.chosen, len(each.areas)) for each in candidates] == [
        (name, chosen, 3) for name, choices in SMALL_GRID.items() for chosen in choices
    ]
    assert best(candidates)["random_forest"] == SMALL_GRID["random_forest"][1]
    assert notes[1].startswith("random forest, 5 trees of depth 6, class weights: area under PR ")


def test_the_chosen_parameters_are_in_the_grid():
    assert all(CHOSEN[name] in GRID[name] for name in GRID)


def test_both_pipelines_differ_in_the_classifier_only():
    stages = {name: pipeline(name).getStages() for name in ("random_forest", "gradient_boosted_trees")}
    kinds = [[type(stage) for stage in each[:-1]] for each in stages.values()]
    assert kinds[0] == kinds[1]


def test_columns_without_any_value_are_left_out(spark, tmp_path):
    """Spark's Imputer fails on them, and an indexer of no category makes a model that the door refuses."""
    empty = {"shipment_location_lat": "", "shipment_location_long": "NULL"}
    sold = [transaction(f"t{n}", f"s{n}", f"2024-01-01 10:{n:02}:00.000", **empty) for n in range(40)]
    write_csv(tmp_path / "transactions.csv", sold)
    write_csv(
        tmp_path / "browsing_behaviour.csv", [event(f"s{n}", "CO", row["created_at"]) for n, row in enumerate(sold)]
    )
    write_csv(tmp_path / "customer.csv", [customer(1, gender="", birthdate="")])
    write_csv(tmp_path / "fraud_transaction.csv", [fraud(f"t{n}") for n in range(0, 40, 3)])
    examples = labelled_examples(spark, tmp_path).cache()
    known = columns_with_values(examples)
    left_out = {"gender", "age", "shipment_location_lat", "shipment_location_long"}
    assert {*CATEGORIES, *NUMBERS} - known == left_out
    model = pipeline("random_forest", known).fit(examples)
    assert model.transform(examples).select("prediction").count() == 40
    model.write().save(str(tmp_path / FOLDER))
    pack(tmp_path / FOLDER, tmp_path / "my_ML_model.zip")
    assert {
        pair.ours for pair in SavedModel.open(tmp_path / "my_ML_model.zip").match(STREAM_COLUMNS, {}).columns
    } == known
