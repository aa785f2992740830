"""A student's own model on the stream's rows: the same predictions as its own, and no row lost to it."""

import csv
import json
import shutil
import zipfile
from types import SimpleNamespace

import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import Imputer, OneHotEncoder, VectorAssembler
from pyspark.sql import functions as F
from shop import write_csv
from students import saved, students_pipeline, students_rows
from test_run import run
from zips import TREES, assembler, entries, indexer, write_zip

from fraudstream import model
from fraudstream.errors import ModelError
from fraudstream.features import FEATURES, TRANSACTION_COLUMNS, batch_features
from fraudstream.frames import read_browsing, read_csv, read_labels, read_profiles
from fraudstream.model.columns import scoring_stages, try_out, with_model_columns
from fraudstream.schemas import OFFERED

UNKNOWN = {"payment_method": "Kredivo", "gender": None, "age": None, "total_amount": float("nan"), "clear_payment": 7}
STAND_INS = {"payment_method": "Credit Card", "gender": "F", "age": 28, "total_amount": 0.0, "clear_payment": 1}


@pytest.fixture(scope="module")
def past(spark, shop_dir):
    """The past of the generated shop: features and is_fraud as 'True' or 'False'."""
    rows = batch_features(
        read_csv(spark, shop_dir, "transactions.csv"),
        read_browsing(spark, shop_dir, "browsing_behaviour.csv"),
        read_profiles(spark, shop_dir),
    ).join(read_labels(spark, shop_dir, "fraud_transaction.csv"), on="transaction_id", how="left")
    label = F.initcap(F.coalesce(F.col("is_fraud"), F.lit(False)).cast("string"))
    rows = rows.withColumn("is_fraud", label).orderBy(F.desc("is_fraud"), "transaction_id").limit(60)
    return spark.createDataFrame(rows.collect(), rows.schema)


@pytest.fixture(scope="module")
def features(past):
    """Its features without the label, as the stream has them."""
    return past.select(*TRANSACTION_COLUMNS, *FEATURES)


@pytest.fixture(scope="module")
def students(past, tmp_path_factory):
    """handleInvalid -> path of a student's zip."""
    folder = tmp_path_factory.mktemp("students")
    paths = {invalid: folder / f"{invalid}.zip" for invalid in ("skip", "keep", "error")}
    fitted = {each: students_pipeline(each).fit(students_rows(past)) for each in ("skip", "keep")}
    saved(fitted["keep"], paths["keep"])
    saved(fitted["skip"], paths["skip"])
    for stage in fitted["skip"].stages:
        if stage.hasParam("handleInvalid"):
            stage.set(stage.handleInvalid, "error")
    saved(fitted["skip"], paths["error"])
    return paths


def at_the_door(path, tmp_path):
    """What the notebook has of a zip: the model as it was loaded, the stages that score, the matched columns."""
    matched = model.match(model.read_needs(path), OFFERED)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(model.fresh_folder(tmp_path / "model", path))
    loaded = PipelineModel.load((tmp_path / "model" / model.FOLDER).as_uri())
    return SimpleNamespace(loaded=loaded, scoring=scoring_stages(loaded, matched), matched=matched)


def predicted(door, features):
    """transaction_id -> row: the transaction, probability and imputed."""
    rows = door.scoring.transform(with_model_columns(features, door.matched))
    return {row.transaction_id: row for row in rows.select("row.*", "probability", "prediction", "imputed").collect()}


def own_probabilities(door, features):
    """transaction_id -> probability by PipelineModel.transform on these rows, with is_fraud filled in."""
    rows = door.loaded.transform(students_rows(features)).select("transaction_id", "probability")
    return dict(rows.collect())


def probabilities(rows):
    return {key: row.probability for key, row in rows.items()}


def with_values(features, values):
    """``features`` with other values in all rows; their types stay."""
    types = dict(features.dtypes)
    return features.withColumns({name: F.lit(value).cast(types[name]) for name, value in values.items()})


def change(path, column, function):
    """The CSV with another value of ``column`` in each row."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row | {column: function(row[column])} for row in csv.DictReader(file)]
    write_csv(path, rows)


@pytest.mark.parametrize("invalid", ["skip", "error", "keep"])
def test_predictions_are_the_model_s_own_and_nothing_is_imputed(features, students, tmp_path, invalid):
    door = at_the_door(students[invalid], tmp_path)
    rows = predicted(door, features)
    assert len(rows) == features.count()
    assert probabilities(rows) == own_probabilities(door, features)
    assert {tuple(row.imputed) for row in rows.values()} == {()}


@pytest.mark.parametrize("invalid", ["skip", "error"])
def test_a_value_that_is_not_known_is_predicted_as_the_one_that_stands_in(features, students, tmp_path, invalid):
    door = at_the_door(students[invalid], tmp_path)
    strange, plain = with_values(features, UNKNOWN), with_values(features, STAND_INS)
    rows = predicted(door, strange)
    assert len(rows) == features.count()
    assert probabilities(rows) == own_probabilities(door, plain)
    assert {frozenset(row.imputed) for row in rows.values()} == {frozenset(UNKNOWN)}


def test_the_transaction_itself_keeps_its_values(features, students, tmp_path):
    strange = with_values(features, UNKNOWN)
    rows = predicted(at_the_door(students["skip"], tmp_path), strange)
    names = [name for name in features.columns if name != "total_amount"]  # NaN is equal to nothing
    assert {key: [row[name] for name in names] for key, row in rows.items()} == {
        row.transaction_id: [row[name] for name in names] for row in strange.collect()
    }


def test_a_model_with_an_answer_of_its_own_gives_it_and_the_columns_are_counted(features, students, tmp_path):
    door = at_the_door(students["keep"], tmp_path)
    strange = with_values(features, UNKNOWN)
    rows = predicted(door, strange)
    assert probabilities(rows) == own_probabilities(door, strange)
    assert {frozenset(row.imputed) for row in rows.values()} == {frozenset(UNKNOWN)}


def test_another_spelling_is_the_same_value(features, students, tmp_path):
    door = at_the_door(students["error"], tmp_path)
    rows = predicted(door, with_values(features, {"payment_method": " gopay ", "payment_status": "SUCCESS"}))
    spelt = with_values(features, {"payment_method": "Gopay", "payment_status": "Success"})
    assert probabilities(rows) == own_probabilities(door, spelt)
    assert {tuple(row.imputed) for row in rows.values()} == {()}


@pytest.mark.parametrize(
    ("column", "value", "labels", "given"),
    [
        ("clear_payment", 0, ("1", "0"), "0"),
        ("clear_payment", 0, ("1.0", "0.0"), "0.0"),
        ("clear_payment", 1, ("false", "true"), "true"),
        ("shipment_fee", 5000, ("0.0", "5000.0"), "5000.0"),
        ("shipment_fee", 5000, ("0", "5000"), "5000"),
        ("payment_method", "ovo", ("OVO", "ovo"), "ovo"),
        ("payment_method", "Ovo", ("OVO", "ovo"), "OVO"),
    ],
)
def test_a_value_finds_its_label_however_training_wrote_it(features, tmp_path, column, value, labels, given):
    path = write_zip(tmp_path / "m.zip", entries(indexer(column, *labels), assembler(f"{column}_idx"), TREES))
    matched = model.match(model.read_needs(path), OFFERED)
    rows = with_model_columns(with_values(features.limit(1), {column: value}), matched)
    assert rows.select(column, "imputed").collect() == [(given, [])]


def test_a_number_before_an_imputer_is_left_to_it_and_an_encoder_of_numbers_is_filled(past, features, tmp_path):
    stages = [
        Imputer(inputCols=["age"], outputCols=["age_filled"], strategy="median"),
        OneHotEncoder(inputCol="clear_payment", outputCol="cleared"),
        VectorAssembler(inputCols=["age_filled", "cleared", "total_amount"], outputCol="features"),
        LogisticRegression(labelCol="label", predictionCol="fraud", rawPredictionCol="raw", probabilityCol="p"),
    ]
    label = (F.col("is_fraud") == "True").cast("double")
    door = at_the_door(
        saved(Pipeline(stages=stages).fit(past.withColumn("label", label)), tmp_path / "m.zip"), tmp_path
    )
    rows = predicted(door, with_values(features, {"age": None, "clear_payment": 5}))
    own = with_values(features, {"age": None, "clear_payment": 0})
    expected = door.loaded.transform(own).select("transaction_id", "p").collect()
    assert probabilities(rows) == dict(expected)
    assert {frozenset(row.imputed) for row in rows.values()} == {frozenset({"age", "clear_payment"})}


@pytest.mark.parametrize("invalid", ["skip", "keep"])
def test_a_model_that_fits_passes_the_trial(features, students, tmp_path, invalid):
    door = at_the_door(students[invalid], tmp_path)
    try_out(door.scoring, door.matched, features)


def test_an_indexer_switched_to_keep_after_training_fails_the_trial(past, features, tmp_path):
    fitted = students_pipeline("skip").fit(students_rows(past))
    for stage in fitted.stages[:6]:
        stage.setHandleInvalid("keep")
    door = at_the_door(saved(fitted, tmp_path / "switched.zip"), tmp_path)
    with pytest.raises(ModelError, match="the model cannot predict the stream's rows: "):
        try_out(door.scoring, door.matched, features)


def test_our_own_model_gets_its_columns_as_they_are(spark, features, model_dir, tmp_path):
    door = at_the_door(model_dir / "my_ML_model.zip", tmp_path)
    rows = predicted(door, features)
    own = door.loaded.transform(features).select("transaction_id", "probability")
    assert probabilities(rows) == dict(own.collect())


@pytest.mark.timeout(600)
def test_a_run_with_a_student_s_model_predicts_every_transaction_as_the_model_would(
    spark, broker, shop_dir, students, tmp_path
):
    """The stream has a payment method and customers that the model has never seen."""
    data = shutil.copytree(shop_dir, tmp_path / "shop")
    change(data / "new_transaction.csv", "payment_method", lambda method: method.replace("Gopay", "Kredivo"))
    change(data / "customer.csv", "customer_id", lambda number: number if int(number) % 4 else f"-{number}")
    ended = run(tmp_path / "output", data, students["skip"], broker)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    summary = json.loads((tmp_path / "output" / "summary.json").read_text())
    stream = batch_features(
        read_csv(spark, data, "new_transaction.csv"),
        read_browsing(spark, data, "new_browsing_behaviour.csv"),
        read_profiles(spark, data),
    )
    stored = spark.read.parquet(str(tmp_path / "output" / "predictions")).collect()
    found = {row.transaction_id: row for row in sorted(stored, key=lambda row: row.batch_id)}
    door = at_the_door(students["skip"], tmp_path)
    own, all_rows = own_probabilities(door, stream), predicted(door, stream)
    assert len(found) == summary["transactions_sent"] == summary["predicted"] > 50
    expected = {key: list(all_rows[key].probability) for key in found}
    assert {key: row.probability for key, row in found.items()} == expected
    known = {key for key, row in found.items() if not row.imputed}
    assert known == found.keys() & own.keys()  # the others it would have dropped
    assert summary["imputed"] == len(found) - len(known) > 10 < len(known)
