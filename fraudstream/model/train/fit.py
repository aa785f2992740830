"""Fits a random forest and gradient-boosted trees on the past, compares them on its last fifth, saves the better."""

import signal
import tempfile
import threading
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark import SparkConf
from pyspark.errors import PySparkRuntimeError
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import GBTClassifier, RandomForestClassifier
from pyspark.ml.feature import Imputer, OneHotEncoder, StringIndexer, VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fraudstream.data.check import require_files
from fraudstream.data.frames import read_browsing, read_csv, read_labels, read_profiles
from fraudstream.errors import DataError, Interrupted, Note, RuntimeMissingError
from fraudstream.features import DEFAULTS, FeatureOptions, batch_features
from fraudstream.model import FOLDER, SavedModel, pack
from fraudstream.model.train.evaluate import Evaluation, evaluate, write_evaluation
from fraudstream.runtime.java import java_output_to
from fraudstream.runtime.spark import engine_options, is_local
from fraudstream.schemas import PAST_FILES, STREAM_COLUMNS
from fraudstream.settings import Settings
from fraudstream.storage.folders import writable
from fraudstream.storage.hadoop import hadoop_glob, hadoop_path

CATEGORIES = ("time_of_day", "gender", "payment_method", "payment_status")
NUMBERS = (
    "l1_count",
    "l2_count",
    "l3_count",
    "l1_ratio",
    "l2_ratio",
    "session_minutes",
    "age",
    "first_join_year",
    "num_purchases",
    "promo_amount",
    "shipment_fee",
    "shipment_location_lat",
    "shipment_location_long",
    "total_amount",
    "clear_payment",
)
# train on the first four fifths of the time, evaluate on the last: a random split would leak the future
TRAIN_SHARE = 0.8
SEED = 42
TRAINING_OPTIONS = {"spark.sql.shuffle.partitions": "4", "spark.driver.memory": "4g"}
CLASSIFIERS = {
    "random_forest": lambda: RandomForestClassifier(
        labelCol="label", weightCol="weight", numTrees=60, maxDepth=10, minInstancesPerNode=5, seed=SEED
    ),
    "gradient_boosted_trees": lambda: GBTClassifier(
        labelCol="label", weightCol="weight", maxIter=40, maxDepth=5, stepSize=0.15, minInstancesPerNode=5, seed=SEED
    ),
}


def train(settings: Settings, model_zip: Path | None = None, note: Note = print, *, tolerate: bool = False) -> Path:
    """Trains on ``settings.data_dir``; returns the path of the zip (default: ``settings.model``).

    Writes metrics.json and the plots to the zip's folder. ``tolerate``: also with files in which more than one in a
    hundred values cannot be used. Raises DataError for missing or unusable files, OutputError when the zip's folder
    cannot be written; Interrupted after Ctrl-C, without a zip.
    """
    target = model_zip or settings.model
    for text in require_files(settings.data_dir, PAST_FILES, tolerate=tolerate):  # before Spark takes its time to start
        note(text)
    writable(target.parent)
    with _session(settings) as spark:
        examples = labelled_examples(spark, settings.data_dir, FeatureOptions.of(settings)).cache()
        past, recent = split_by_time(examples)
        _require_both_kinds(past, f"the first {TRAIN_SHARE:.0%} of the transactions")
        note(f"Training on {past.count():,} transactions, evaluating on the {recent.count():,} after them.")
        known = columns_with_values(past)
        without = [name for name in (*CATEGORIES, *NUMBERS) if name not in known]
        if without:
            note(f"Without {', '.join(without)}: no transaction to train on has a value there.")
        fitted: dict[str, PipelineModel] = {}
        scores: dict[str, Evaluation] = {}
        for name in CLASSIFIERS:
            fitted[name] = pipeline(name, known).fit(past)
            scores[name] = evaluate(name, fitted[name], recent)
            note(str(scores[name]))
        best = max(scores, key=lambda name: scores[name].area_under_pr or 0)
        save(fitted[best], target)
        write_evaluation(scores, best, target)
        why = "the larger area under the precision-recall curve"
        if scores[best].area_under_pr is None:
            why = "the two cannot be compared, because the held-out transactions are all of one class"
        note(f"Saved {best.replace('_', ' ')} as {target}: {why}.")
        if scores[best].recall == 0:
            note(f"Warning: this model found none of the {scores[best].fn:,} frauds that it was judged on (recall 0).")
        return target


def save(model: PipelineModel, target: Path) -> None:
    """Zips ``model`` as ``target`` once the zip has been read back: unpacked, loaded, and matched with the stream.

    Raises ModelError when the zip is not such a model; an older ``target`` is then untouched.
    """
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / FOLDER
        model.write().save(hadoop_path(saved))
        pack(saved, target, lambda zipped: _load(zipped, Path(folder) / "read_back"))


def _load(zipped: Path, folder: Path) -> PipelineModel:
    """The model in the zip, unpacked in ``folder``. Raises ModelError where it does not fit the stream."""
    opened = SavedModel.open(zipped)
    opened.match(STREAM_COLUMNS)
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(opened.fresh_folder(folder))
    return PipelineModel.load(hadoop_glob(folder / FOLDER))


def labelled_examples(spark: SparkSession, data_dir: Path, options: FeatureOptions = DEFAULTS) -> DataFrame:
    """Past transactions with features, label (double) and weight (double; both classes have the same total weight).

    Raises DataError if the past has no fraud, or only fraud.
    """
    features = batch_features(
        read_csv(spark, data_dir, "transactions.csv"),
        read_browsing(spark, data_dir, "browsing_behaviour.csv"),
        read_profiles(spark, data_dir, options),
        options,
    )
    labelled = features.join(
        read_labels(spark, data_dir, "fraud_transaction.csv"), on="transaction_id", how="left"
    ).withColumn("label", F.coalesce(F.col("is_fraud").cast("double"), F.lit(0.0)))
    counts = _require_both_kinds(labelled, "the transactions that have a session in browsing_behaviour.csv")
    total = sum(counts.values())
    weight = F.when(F.col("label") == 1, total / (2 * counts[1.0])).otherwise(total / (2 * counts[0.0]))
    return labelled.withColumn("weight", weight).drop("is_fraud")


def _require_both_kinds(examples: DataFrame, which: str) -> dict[float, int]:
    """label -> number of ``examples``; raises DataError if they are all of one class."""
    counts = dict(examples.groupBy("label").count().collect())
    if len(counts) < 2:
        raise DataError(
            f"fraud_transaction.csv: {counts.get(1.0, 0)} frauds among {which} ({sum(counts.values())}). "
            "Training needs both classes: check transaction_id and is_fraud."
        )
    return counts


def split_by_time(examples: DataFrame) -> tuple[DataFrame, DataFrame]:
    """The earliest TRAIN_SHARE of the examples, and the rest."""
    seconds = F.col("created_at").cast("timestamp").cast("double")
    moment = examples.select(F.percentile(seconds, TRAIN_SHARE)).first()[0]
    return examples.where(seconds < moment), examples.where(seconds >= moment)


def columns_with_values(examples: DataFrame) -> set[str]:
    """Of CATEGORIES and NUMBERS those with a value in at least one row: Spark's Imputer fails on an empty column."""
    counts = examples.select(*(F.count(name).alias(name) for name in (*CATEGORIES, *NUMBERS))).first().asDict()
    return {name for name, count in counts.items() if count}


def pipeline(classifier: str, known: Collection[str] = (*CATEGORIES, *NUMBERS)) -> Pipeline:
    """Part A's pipeline on the columns ``known``: index and encode categories, impute numbers, assemble, classify.

    handleInvalid="keep" everywhere: a row with an unknown or missing category is predicted like any other.
    """
    categories, numbers = ([name for name in names if name in known] for names in (CATEGORIES, NUMBERS))
    indexed, encoded = [f"{name}_index" for name in categories], [f"{name}_vector" for name in categories]
    filled = [f"{name}_filled" for name in numbers]
    return Pipeline(
        stages=[
            StringIndexer(inputCols=categories, outputCols=indexed, handleInvalid="keep"),
            OneHotEncoder(inputCols=indexed, outputCols=encoded, handleInvalid="keep"),
            Imputer(inputCols=numbers, outputCols=filled, strategy="median"),
            VectorAssembler(inputCols=filled + encoded, outputCol="features", handleInvalid="keep"),
            CLASSIFIERS[classifier](),
        ]
    )


@contextmanager
def _session(settings: Settings) -> Iterator[SparkSession]:
    """A session for the training. Ctrl-C raises Interrupted: nothing else is said, and Java ends with this process."""
    spark, interrupted = _started(settings), False
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)  # pyspark's own calls Java in the middle of a call
    try:
        yield spark
    except KeyboardInterrupt as error:
        interrupted = True
        raise Interrupted("Interrupted: the training has been stopped.") from error
    finally:
        if not interrupted:  # a call to Java after one that was broken off fails
            spark.stop()


def _started(settings: Settings) -> SparkSession:
    # never on a cluster: it takes a minute, and the nodes may not see the folder that the model is saved in
    here = settings if is_local(settings) else settings.model_copy(update={"spark_master": "local[4]"})
    conf = SparkConf().setMaster(here.spark_master).setAppName("fraudstream training")
    conf.setAll(engine_options(here, TRAINING_OPTIONS))
    log = here.logs / "training.log"
    with java_output_to(log):
        try:
            return SparkSession.builder.config(conf=conf).getOrCreate()
        except PySparkRuntimeError as error:
            raise RuntimeMissingError(f"Spark does not start: the last lines of {log} say why.") from error
