"""The shop's CSV files as Spark frames, typed by the same expressions as the stream."""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fraudstream.data import csv_files
from fraudstream.data.parsing import parsed, parsed_columns
from fraudstream.errors import DataError
from fraudstream.features import DEFAULTS, FeatureOptions, customer_profiles
from fraudstream.schemas import BROWSING, FILES, FRAUD, FRAUD_WORDS, HONEST_WORDS, TRANSACTION, ddl
from fraudstream.storage import hadoop_glob

# what people write, which may hold line breaks, stands only here; reading over them cannot be split among cores
MULTILINE = frozenset({"customer.csv", "product.csv", "category.csv", "transactions.csv", "new_transaction.csv"})


def read_csv(spark: SparkSession, data_dir: Path, name: str, schema: str | None = None) -> DataFrame:
    """The file as a frame with the columns and types of ``schema`` (Spark's DDL), found by header, in any order.

    Without a schema: the metadata's (fraudstream.schemas).

    Times are timestamp_ntz (the shop's clock), product_metadata an array of structs; what cannot be read is null.
    Raises DataError when the file is missing, empty, or lacks a column.
    """
    columns = FILES[name] if schema is None else dict(spark.createDataFrame([], schema).dtypes)
    path = csv_files.find(data_dir, name)
    found = csv_files.check_header(path, columns)
    text = spark.read.csv(
        hadoop_glob(path),
        schema=", ".join(f"`{column}` string" for column in found),
        header=True,
        quote='"',
        escape='"',
        multiLine=name in MULTILINE,
        encoding="UTF-8",
        nullValue="",
        emptyValue="",
        enforceSchema=True,
    )
    rows = text.select(*parsed_columns(columns))
    if FILES[name] is TRANSACTION:
        # as in the stream, where an empty value is the file's empty string; Spark's CSV reader makes it null
        texts = [name for name, type_ in rows.dtypes if type_ == "string"]
        return rows.fillna("", subset=texts)
    return rows


def read_browsing(spark: SparkSession, data_dir: Path, name: str) -> DataFrame:
    """Browsing events as the features take them: session_id, event_type, browsed_at (timestamp_ntz)."""
    wanted = ddl({column: BROWSING[column] for column in ("session_id", "event_type", "event_time")})
    return read_csv(spark, data_dir, name, wanted).withColumnRenamed("event_time", "browsed_at")


def read_profiles(spark: SparkSession, data_dir: Path, options: FeatureOptions = DEFAULTS) -> DataFrame:
    """One row a customer, as of ``customer_profiles``, of customer.csv and transactions.csv.

    Raises DataError where customer.csv has a customer twice.
    """
    customers = require_unique(read_csv(spark, data_dir, "customer.csv"), "customer_id", "customer.csv")
    wanted = ddl({column: TRANSACTION[column] for column in ("customer_id", "created_at", "payment_status")})
    return customer_profiles(customers, read_csv(spark, data_dir, "transactions.csv", wanted), options)


def read_labels(spark: SparkSession, data_dir: Path, name: str) -> DataFrame:
    """transaction_id string, is_fraud boolean; one row a transaction. A transaction without a row is not fraud.

    Raises DataError for an is_fraud that is neither True or False nor 1 or 0, in whatever capitals.
    """
    labels = read_csv(spark, data_dir, name, ddl(dict.fromkeys(FRAUD, "string"))).fillna("", subset="is_fraud")
    strange = labels.where(~F.lower(F.trim("is_fraud")).isin(*FRAUD_WORDS, *HONEST_WORDS)).first()
    if strange:
        raise csv_files.unknown_label(csv_files.find(data_dir, name), strange.is_fraud)
    return labels.groupBy("transaction_id").agg(F.bool_or(parsed(F.col("is_fraud"), "boolean")).alias("is_fraud"))


def require_unique(rows: DataFrame, key: str, file: str) -> DataFrame:
    """``rows`` as they came; raises DataError where two rows have the same ``key``: a join would double rows."""
    twice = [str(row[0]) for row in rows.groupBy(key).count().where("count > 1").select(key).head(3)]
    if twice:
        raise DataError(f"{file}: {key} {', '.join(twice)} stands in several rows. Keep one row of each.")
    return rows
