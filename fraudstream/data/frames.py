"""The shop's CSV files as DataFrames, typed by the same expressions as the stream."""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from fraudstream.data import csv_files
from fraudstream.data.encoding import check_encoding
from fraudstream.data.parsing import parsed, parsed_columns
from fraudstream.errors import DataError
from fraudstream.features import DEFAULTS, FeatureOptions, customer_profiles
from fraudstream.schemas import BROWSING, FILES, FRAUD, TRANSACTION, ddl
from fraudstream.storage.hadoop import hadoop_glob

# these files, and any file with quotes, may have line breaks in values, so Spark cannot split them among cores
MULTILINE = frozenset({"customer.csv", "product.csv", "category.csv", "transactions.csv", "new_transaction.csv"})


def read_csv(
    spark: SparkSession, data_dir: Path, name: str, schema: str | None = None, *, unique: str | None = None
) -> DataFrame:
    """The file as a DataFrame with the columns and types of ``schema`` (Spark's DDL), found by header, in any order.

    Without a schema: the metadata's (fraudstream.schemas). ``unique``: a column whose values must not repeat.

    Times are timestamp_ntz (the shop's clock), product_metadata an array of structs; unreadable values are null. Rows
    without a value in any of the columns are left out.
    Raises DataError when the file is missing, empty, or lacks a column, or when a value of ``unique`` repeats.
    """
    columns = FILES[name] if schema is None else dict(spark.createDataFrame([], schema).dtypes)
    path = csv_files.find(data_dir, name)
    found = csv_files.check_header(path, columns)
    text = spark.read.csv(
        hadoop_glob(path),
        schema=StructType([StructField(column, StringType()) for column in found]),
        header=True,
        quote='"',
        escape='"',
        multiLine=name in MULTILINE or check_encoding(path).quotes,
        encoding="UTF-8",
        nullValue="",
        emptyValue="",
        enforceSchema=True,
    )
    rows = text.dropna("all", subset=list(columns)).select(*parsed_columns(columns))
    texts = [name for name, type_ in rows.dtypes if type_ == "string"]
    if FILES[name] is TRANSACTION:
        # as in the stream, where an empty value is an empty string; Spark's CSV reader returns null
        rows = rows.fillna("", subset=texts)
    else:
        rows = rows.withColumns({column: F.nullif(F.col(column), F.lit("")) for column in texts})
    return require_unique(rows, unique, name) if unique else rows


def read_browsing(spark: SparkSession, data_dir: Path, name: str) -> DataFrame:
    """Browsing events as input of the features: session_id, event_type, browsed_at (timestamp_ntz)."""
    wanted = ddl({column: BROWSING[column] for column in ("session_id", "event_type", "event_time")})
    return read_csv(spark, data_dir, name, wanted).withColumnRenamed("event_time", "browsed_at")


def read_profiles(spark: SparkSession, data_dir: Path, options: FeatureOptions = DEFAULTS) -> DataFrame:
    """One row per customer, from customer.csv and transactions.csv; see ``customer_profiles``.

    Raises DataError if customer.csv has a customer twice.
    """
    customers = read_csv(spark, data_dir, "customer.csv", unique="customer_id")
    wanted = ddl({column: TRANSACTION[column] for column in ("customer_id", "created_at", "payment_status")})
    return customer_profiles(customers, read_csv(spark, data_dir, "transactions.csv", wanted), options)


def read_labels(spark: SparkSession, data_dir: Path, name: str) -> DataFrame:
    """transaction_id string, is_fraud boolean; one row per transaction. A transaction without a row is not fraud.

    Raises DataError for an is_fraud that is neither True or False nor 1 or 0 (case-insensitive).
    """
    labels = read_csv(spark, data_dir, name, ddl(dict.fromkeys(FRAUD, "string"))).fillna("", subset="is_fraud")
    is_fraud = parsed(F.col("is_fraud"), "boolean")
    strange = labels.where(is_fraud.isNull()).first()
    if strange:
        raise csv_files.unknown_label(csv_files.find(data_dir, name), strange.is_fraud)
    return labels.groupBy("transaction_id").agg(F.bool_or(is_fraud).alias("is_fraud"))


def require_unique(rows: DataFrame, key: str, file: str) -> DataFrame:
    """``rows`` unchanged; raises DataError if two rows have the same ``key``, which would duplicate rows in a join.

    Rows without a key match nothing, so several are allowed.
    """
    known = rows.where(F.col(key).isNotNull())
    twice = [str(row[0]) for row in known.groupBy(key).count().where("count > 1").select(key).head(3)]
    if twice:
        raise DataError(f"{file}: {key} {', '.join(twice)} is in several rows. Keep one row of each.")
    return rows
