"""Reasons equal the Shapley values of the definition, and add up to what Spark itself predicts."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from brute_force import shapley
from pyspark.ml import Pipeline
from pyspark.ml.classification import DecisionTreeClassifier, NaiveBayes
from pyspark.ml.feature import PCA, VectorAssembler
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import functions as F
from reason_pipelines import WEIGHTED, index_pipeline, our_pipelines, pipeline_of_many_stages
from students import at_the_door, rewritten, saved, students_pipeline, students_rows

from fraudstream.features import FEATURES, TRANSACTION_COLUMNS
from fraudstream.model import SavedModel
from fraudstream.model.columns import OUTPUTS, ROW, with_model_columns
from fraudstream.model.explain.reasons import REASONS_TYPE, Explainer, Reason, as_column
from fraudstream.model.explain.words import in_words
from fraudstream.model.train import fit
from fraudstream.schemas import STREAM_COLUMNS

pytestmark = pytest.mark.faults

TREES = ("boosted", "forest", "tree", "categories", "students", "many_stages")
MODELS = (*TREES, "logistic", "multinomial")
UNKNOWN = {"payment_method": "Kredivo", "gender": None, "age": None, "total_amount": float("nan"), "clear_payment": 7}


@pytest.fixture(scope="module")
def past(spark, shop_dir):
    """The past's examples: all frauds and 300 of the honest; features, label, weight, and the label as students do."""
    rows = fit.labelled_examples(spark, shop_dir)
    rows = rows.orderBy(F.desc("label"), "transaction_id").limit(300)
    rows = rows.withColumn("is_fraud", F.initcap((F.col("label") == 1).cast("string")))
    return spark.createDataFrame(rows.collect(), rows.schema).cache()


@pytest.fixture(scope="module")
def doors(past, tmp_path_factory):
    """Name -> a model as the stream has it, fitted on ``past`` and saved."""
    folder = tmp_path_factory.mktemp("reasons")
    fitted = {name: pipeline.fit(past) for name, pipeline in our_pipelines().items()}
    fitted["categories"] = index_pipeline().fit(students_rows(past))
    fitted["students"] = students_pipeline().fit(students_rows(past).drop("label"))
    fitted["many_stages"] = pipeline_of_many_stages().fit(past)
    paths = {name: saved(each, folder / f"{name}.zip") for name, each in fitted.items()}
    return {name: at_the_door(path, folder / name) for name, path in paths.items()}


@pytest.fixture(scope="module")
def strange(past):
    """``past`` as the stream has it, and as many rows with values that no model knows."""
    features = past.select(*TRANSACTION_COLUMNS, *FEATURES)
    types = dict(features.dtypes)
    unknown = features.withColumns({name: F.lit(value).cast(types[name]) for name, value in UNKNOWN.items()})
    return features.union(unknown)


def scored(door, features):
    """The stream's predictions of ``features``, with the vector that they were made of."""
    rows = door.scoring.model.transform(with_model_columns(features, door.matched))
    columns = {"features": door.scoring.model.stages[-1].getFeaturesCol(), **OUTPUTS}
    vectors = [vector_to_array(columns[name]).alias(name) for name in ("features", "rawPrediction", "probability")]
    return rows.select(f"{ROW}.*", *vectors, F.col(OUTPUTS["prediction"]).alias("prediction")).toArrow()


def arrays(table, name):
    return np.array(table.column(name).to_pylist())


@pytest.mark.parametrize("name", MODELS)
def test_base_and_contributions_add_up_to_what_spark_predicts(name, doors, strange):
    rows, explainer = scored(doors[name], strange), Explainer.of(doors[name].matched)
    np.testing.assert_array_equal(explainer.encoder.vectors(rows), arrays(rows, "features"))
    output = explainer.base + explainer.contributions(rows).sum(axis=1)
    raw, probability = arrays(rows, "rawPrediction"), arrays(rows, "probability")
    explained = {"margin": raw[:, 1], "probability": probability[:, 1], "log-odds": raw[:, 1]}
    if name == "multinomial":
        explained["log-odds"] = raw[:, 1] - raw[:, 0]
    np.testing.assert_allclose(output, explained[explainer.explains], rtol=0, atol=1e-9)
    np.testing.assert_allclose(explainer.probability(output), probability[:, 1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", TREES)
def test_contributions_are_the_shapley_values_of_all_subsets(name, doors, strange):
    rows, explainer = scored(doors[name], strange), Explainer.of(doors[name].matched)
    vectors = arrays(rows, "features")
    base, by_slot = shapley(explainer.shapley.nodes, vectors)
    by_column = [
        by_slot[:, [source == column for source in explainer.encoder.sources]].sum(axis=1)
        for column in explainer.columns
    ]
    assert explainer.base == pytest.approx(base, abs=1e-12)
    np.testing.assert_allclose(explainer.contributions(rows), np.array(by_column).T, rtol=0, atol=1e-9)


def test_a_category_that_a_tree_has_not_seen_and_nan_go_to_spark_s_side(doors, spark):
    door = doors["categories"]
    nodes, slots = Explainer.of(door.matched).shapley.nodes, 15
    sizes = {len(each) for each in nodes.categories}
    assert sizes.pop() > 4 and (nodes.category_row >= 0).sum() > 1
    draw = np.random.default_rng(5)
    vectors = draw.choice([0, 1, 2, 3, 4, 5, 6, 40, -1, 0.5, np.nan, -0.0, np.inf], (500, slots))
    frame = spark.createDataFrame([(row,) for row in vectors.tolist()], "value array<double>")
    classifier = door.scoring.model.stages[-1]
    rows = classifier.transform(frame.select("value", array_to_vector("value").alias(classifier.getFeaturesCol())))
    rows = rows.select("value", vector_to_array(OUTPUTS["probability"])[1].alias("fraud")).toArrow()
    np.testing.assert_allclose(nodes.output(arrays(rows, "value")), arrays(rows, "fraud"), rtol=0, atol=1e-12)


def test_the_population_is_the_training_rows_as_heavy_as_in_training(doors, past):
    door = doors["boosted"]
    explainer = Explainer.of(door.matched)
    nodes = explainer.shapley.nodes
    rows = past.toArrow()
    sides, weight = nodes.goes_left(explainer.encoder.vectors(rows)), arrays(rows, "weight")
    arrived = np.zeros((len(weight), len(nodes.left)), dtype=bool)
    arrived[:, nodes.roots] = True
    for node in np.flatnonzero(nodes.left >= 0):  # a node comes before its children
        arrived[:, nodes.left[node]] = arrived[:, node] & sides[:, node]
        arrived[:, nodes.right[node]] = arrived[:, node] & ~sides[:, node]
    np.testing.assert_allclose(nodes.weight, weight @ arrived, rtol=1e-9)


def test_a_zip_of_spark_3_5_gives_the_same(doors, strange, tmp_path):
    door = doors["forest"]
    paths = door.matched.signature.path, tmp_path / "older.zip"
    older = SavedModel.open(rewritten(*paths, as_spark_3_5)).match(STREAM_COLUMNS)
    rows = strange.toArrow()
    np.testing.assert_array_equal(
        Explainer.of(older).contributions(rows), Explainer.of(door.matched).contributions(rows)
    )


def as_spark_3_5(name, content):
    """Spark 3.5 names the columns of treesMetadata, and may save the nodes out of order."""
    if not name.endswith(".parquet") or "/." in name or not ("treesMetadata" in name or "RandomForest" in name):
        return name, content
    table = pq.read_table(pa.BufferReader(content))
    table = table.rename_columns(["treeID", "metadata", "weights"]) if "treesMetadata" in name else table
    changed = pa.BufferOutputStream()
    pq.write_table(table.take(np.arange(table.num_rows)[::-1]), changed)
    return name, changed.getvalue().to_pybytes()


def test_a_logistic_regression_is_compared_with_the_usual_row(doors, strange):
    door = doors["logistic"]
    explainer = Explainer.of(door.matched, usual={"age": 40})
    rows = strange.limit(5).toArrow()
    usual = {**explainer.usual, "age": 40}
    columns = {name: pa.array([value], rows.schema.field(name).type) for name, value in usual.items()}
    np.testing.assert_array_equal(explainer.contributions(pa.table(columns)), np.zeros((1, len(usual))))
    older = explainer.contributions(pa.table({**columns, "age": pa.array([50])}))[0]
    assert np.flatnonzero(older).tolist() == [explainer.columns.index("age")]


def test_the_strongest_reasons_towards_fraud_of_flagged_rows(doors, past):
    door = doors["boosted"]
    rows, explainer = scored(door, past), Explainer.of(door.matched, usual={"l2_ratio": 19.0})
    flagged = arrays(rows, "prediction") == 1
    reasons, parts = explainer.reasons(rows, flagged, strongest=3), explainer.contributions(rows)
    assert flagged.any() and [bool(each) for each in reasons] == flagged.tolist()
    for row in np.flatnonzero(flagged):
        strongest = [explainer.columns[place] for place in np.argsort(-parts[row])[:3] if parts[row, place] > 0]
        assert [each.feature for each in reasons[row]] == strongest
        for each in reasons[row]:
            assert each.value == rows.column(each.feature)[row].as_py()
            assert each.usual == (19.0 if each.feature == "l2_ratio" else explainer.encoder.usual[each.feature])
            assert each.contribution == parts[row, explainer.columns.index(each.feature)]


def test_a_row_that_is_not_the_one_that_was_scored_gets_no_reasons(doors, past):
    rows, explainer = scored(doors["boosted"], past), Explainer.of(doors["boosted"].matched)
    place = rows.column_names.index("l2_ratio")
    other = rows.set_column(place, "l2_ratio", pa.array(100.0 - arrays(rows, "l2_ratio")))
    agree = np.isclose(
        explainer.probability(explainer.base + explainer.contributions(other).sum(axis=1)),
        arrays(other, "probability")[:, 1],
        atol=1e-6,
        rtol=0,
    )
    assert not agree.all()
    assert all(not reasons for reasons, same in zip(explainer.reasons(other), agree, strict=True) if not same)


def test_usual_values_are_the_pipeline_s_own_where_none_are_given(doors, past):
    usual = Explainer.of(doors["students"].matched).usual
    most = {name: past.groupBy(name).count().orderBy(F.desc("count")).first()[0] for name in ("gender", "time_of_day")}
    assert {name: usual[name] for name in most} == most
    assert "age" not in usual
    filled = Explainer.of(doors["boosted"].matched).usual
    assert filled["l1_count"] == past.select(F.median("l1_count")).first()[0]


@pytest.mark.parametrize("kind", ["naive_bayes", "mixed"])
def test_other_models_have_no_reasons_and_say_so(kind, past, tmp_path):
    assembler = VectorAssembler(inputCols=["l1_ratio", "age", "l2_ratio"], outputCol="all", handleInvalid="keep")
    stages = {
        "naive_bayes": [assembler, NaiveBayes(featuresCol="all")],
        "mixed": [assembler, PCA(k=2, inputCol="all", outputCol="features"), DecisionTreeClassifier(**WEIGHTED)],
    }
    door = at_the_door(saved(Pipeline(stages=stages[kind]).fit(past), tmp_path / "other.zip"), tmp_path)
    explainer = Explainer.of(door.matched)
    said = {
        "naive_bayes": "no reasons for this kind of model (NaiveBayesModel)",
        "mixed": "no reasons for this model: the slots behind PCAModel belong to no single column",
    }
    assert explainer.why_not == said[kind]
    assert explainer.reasons(past.limit(2).toArrow()) == [[], []]


def test_reasons_in_words():
    reasons = {
        "L1 share 62 %, usual 21 %": Reason("l1_ratio", 61.6, 21.4, 0.5),
        "total Rp 1,250,000, usual Rp 243,222": Reason("total_amount", "1250000.0", "243222.0", 0.1),
        "gender M": Reason("gender", "M", None, 0.1),
        "age unknown, usual 28 years": Reason("age", None, 28, 0.1),
        "payment cleared no, usual yes": Reason("clear_payment", 0, 1.0, 0.1),
        "latitude -6.24°": Reason("shipment_location_lat", -6.2449, None, 0.1),
    }
    assert {in_words(reason) for reason in reasons.values()} == set(reasons)


def test_reasons_as_a_parquet_column_read_back(tmp_path):
    reasons = [[Reason("l1_ratio", 61.6, 21, 0.5), Reason("gender", None, "F", 0.25)], []]
    pq.write_table(pa.table({"reasons": as_column(reasons)}), tmp_path / "reasons.parquet")
    read = pq.read_table(tmp_path / "reasons.parquet").column("reasons")
    assert read.type == REASONS_TYPE
    assert [[in_words(Reason(**each)) for each in row] for row in read.to_pylist()] == [
        ["L1 share 62 %, usual 21 %", "gender unknown, usual F"],
        [],
    ]
