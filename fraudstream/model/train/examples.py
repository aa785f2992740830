"""Labelled examples of the past for training: features, label, class weight; split by time."""

from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fraudstream.data.frames import read_browsing, read_csv, read_labels, read_profiles
from fraudstream.errors import DataError
from fraudstream.features import DEFAULTS, FeatureOptions, batch_features
from fraudstream.model.train.pipelines import CATEGORIES, NUMBERS

# train on the first four fifths of the time, evaluate on the last: a random split would leak the future
TRAIN_SHARE = 0.8


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
    counts = require_both_kinds(labelled, "the transactions that have a session in browsing_behaviour.csv")
    total = sum(counts.values())
    weight = F.when(F.col("label") == 1, total / (2 * counts[1.0])).otherwise(total / (2 * counts[0.0]))
    return labelled.withColumn("weight", weight).drop("is_fraud")


def require_both_kinds(examples: DataFrame, which: str) -> dict[float, int]:
    """label -> number of ``examples``; raises DataError if they are all of one class."""
    counts = dict(examples.groupBy("label").count().collect())
    if len(counts) < 2:
        raise DataError(
            f"fraud_transaction.csv: {counts.get(1.0, 0)} frauds among {which} ({sum(counts.values())}). "
            "Training needs both classes: check transaction_id and is_fraud."
        )
    return counts


def seconds() -> Column:
    """created_at as seconds (double), for comparing and dividing times."""
    return F.col("created_at").cast("timestamp").cast("double")


def split_by_time(examples: DataFrame, share: float = TRAIN_SHARE) -> tuple[DataFrame, DataFrame]:
    """The earliest ``share`` of the examples, and the rest."""
    moment = examples.select(F.percentile(seconds(), share)).first()[0]
    return examples.where(seconds() < moment), examples.where(seconds() >= moment)


def columns_with_values(examples: DataFrame) -> set[str]:
    """Of CATEGORIES and NUMBERS those with a value in at least one row: Spark's Imputer fails on an empty column."""
    counts = examples.select(*(F.count(name).alias(name) for name in (*CATEGORIES, *NUMBERS))).first().asDict()
    return {name for name, count in counts.items() if count}
