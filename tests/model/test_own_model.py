"""A student's own model on the stream's rows: it predicts as it does by itself, and drops no row."""

import pytest
from pyspark.ml import Pipeline
from pyspark.ml.classification import GBTClassifier, LogisticRegression
from pyspark.ml.clustering import KMeans
from pyspark.ml.feature import HashingTF, Imputer, OneHotEncoder, StringIndexer, Tokenizer, VectorAssembler
from pyspark.sql import functions as F
from students import at_the_door, labelled_past, own_probabilities, predicted, saved, students_pipeline, students_rows
from zips import TREES, assembler, entries, indexer, write_zip

from fraudstream.errors import ModelError
from fraudstream.features import FEATURES, TRANSACTION_COLUMNS
from fraudstream.model import SavedModel
from fraudstream.model.columns import IMPUTED, try_out, with_model_columns
from fraudstream.schemas import STREAM_COLUMNS

pytestmark = pytest.mark.faults

UNKNOWN = {"payment_method": "Kredivo", "gender": None, "age": None, "total_amount": float("nan"), "clear_payment": 7}
FILL_VALUES = {"payment_method": "Credit Card", "gender": "F", "age": 28, "total_amount": 0.0, "clear_payment": 1}


@pytest.fixture(scope="module")
def past(spark, shop_dir):
    """The past of the generated shop: features and is_fraud as 'True' or 'False'."""
    return labelled_past(spark, shop_dir)


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


def probabilities(rows):
    return {key: row.probability for key, row in rows.items()}


def with_values(features, values):
    """``features`` with other values in all rows; their types stay."""
    types = dict(features.dtypes)
    return features.withColumns({name: F.lit(value).cast(types[name]) for name, value in values.items()})


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
    strange, plain = with_values(features, UNKNOWN), with_values(features, FILL_VALUES)
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
    matched = SavedModel.open(path).match(STREAM_COLUMNS)
    rows = with_model_columns(with_values(features.limit(1), {column: value}), matched)
    assert rows.select(column, IMPUTED).collect() == [(given, [])]


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


@pytest.fixture(scope="module")
def labelled(past):
    """The past with label (double)."""
    return past.withColumn("label", (F.col("is_fraud") == "True").cast("double"))


NUMBERS = ["l1_ratio", "l2_count", "total_amount"]


def by_cluster():
    return [
        VectorAssembler(inputCols=NUMBERS, outputCol="numbers"),
        KMeans(featuresCol="numbers", predictionCol="cluster", k=3, seed=1),
        VectorAssembler(inputCols=["numbers", "cluster"], outputCol="features"),
        LogisticRegression(maxIter=5),
    ]


def by_first_classifier():
    """The first classifier's outputs are called like the last one's, and another stage's like columns of ours."""
    return [
        VectorAssembler(inputCols=NUMBERS, outputCol="row"),
        LogisticRegression(featuresCol="row", maxIter=5),
        StringIndexer(inputCol="gender", outputCol="imputed", handleInvalid="keep"),
        VectorAssembler(inputCols=["row", "probability", "imputed"], outputCol="features"),
        GBTClassifier(maxIter=2, maxDepth=2, predictionCol="p", seed=1)
        .setProbabilityCol("second")
        .setRawPredictionCol("raw"),
    ]


def by_words():
    return [
        Tokenizer(inputCol="promo_code", outputCol="words"),
        HashingTF(inputCol="words", outputCol="hashed", numFeatures=16),
        VectorAssembler(inputCols=["hashed", "l1_ratio"], outputCol="features"),
        LogisticRegression(maxIter=5),
    ]


@pytest.mark.parametrize(
    ("stages", "probability"),
    [(by_cluster, "probability"), (by_first_classifier, "second"), (by_words, "probability")],
    ids=["clusters", "first classifier", "words"],
)
def test_a_model_within_the_pipeline_and_any_names_of_columns(labelled, features, tmp_path, stages, probability):
    door = at_the_door(saved(Pipeline(stages=stages()).fit(labelled), tmp_path / "m.zip"), tmp_path)
    try_out(door.scoring, door.matched, features)
    own = door.loaded.transform(features).select("transaction_id", probability)
    rows = predicted(door, features)
    assert probabilities(rows) == dict(own.collect())
    assert {tuple(row.imputed) for row in rows.values()} == {()}


def test_a_missing_text_is_an_empty_one_to_a_tokenizer(labelled, features, tmp_path):
    door = at_the_door(saved(Pipeline(stages=by_words()).fit(labelled), tmp_path / "m.zip"), tmp_path)
    rows = predicted(door, with_values(features, {"promo_code": None}))
    empty = door.loaded.transform(with_values(features, {"promo_code": ""})).select("transaction_id", "probability")
    assert probabilities(rows) == dict(empty.collect())
    assert {tuple(row.imputed) for row in rows.values()} == {("promo_code",)}


def test_our_own_model_gets_its_columns_as_they_are(spark, features, model_dir, tmp_path):
    door = at_the_door(model_dir / "my_ML_model.zip", tmp_path)
    rows = predicted(door, features)
    own = door.loaded.transform(features).select("transaction_id", "probability")
    assert probabilities(rows) == dict(own.collect())
