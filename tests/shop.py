"""Rows of a shop as in its files, all values strings, and the same rows as files or typed Spark DataFrames.

Each builder has ordinary values for every column; a test names only those that it is about.
"""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from fraudstream.data.parsing import parsed_columns
from fraudstream.features import DEFAULTS, FeatureOptions, batch_features, customer_profiles
from fraudstream.schemas import BROWSING, CATEGORY, CUSTOMER, FRAUD, NEW_BROWSING, PRODUCT, TRANSACTION, Schema

Row = dict[str, str]


def customer(customer_id: int = 1, **values: str) -> Row:
    ordinary = ("Siti", "Wijaya", "siti1", "siti@example.com", "F", "1995-06-15", "2019-03-01")
    return dict(zip(CUSTOMER, (str(customer_id), *ordinary), strict=True)) | values


def product(product_id: int = 1, name: str = "Blue Shirt", **values: str) -> Row:
    return dict(
        zip(PRODUCT, (str(product_id), "Women", "Blue", "Summer", "2016", "Casual", name, "1"), strict=True)
    ) | (values)


def category(category_id: int = 1) -> Row:
    return dict(zip(CATEGORY, (str(category_id), "Apparel", "Topwear", "Shirts"), strict=True))


def event(session_id: str, event_type: str, event_time: str, **values: str) -> Row:
    row = dict(zip(NEW_BROWSING, (session_id, event_type, event_time, "MOBILE", "Android", "1"), strict=True))
    return row | values


def cart(*items: tuple[int, int]) -> str:
    """product_metadata of (product_id, quantity), as the files write it."""
    return str([{"product_id": product, "quantity": quantity, "item_price": 1000} for product, quantity in items])


def transaction(transaction_id: str, session_id: str, created_at: str, **values: str) -> Row:
    ordinary = (cart((1, 2)), "OVO", "Success", "0", "", "5000", "-6.2", "106.8", "7000", "1")
    row = dict(zip(TRANSACTION, (created_at, "1", transaction_id, session_id, *ordinary), strict=True))
    return row | values


def fraud(transaction_id: str, is_fraud: str = "True") -> Row:
    return dict(zip(FRAUD, (transaction_id, is_fraud), strict=True))


def write_csv(path: Path, rows: list[Row], columns: Iterable[str] | None = None) -> Path:
    """``rows`` as a CSV file with a header; ``columns`` (default: those of the first row) in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns or rows[0]), extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def change(path: Path, column: str, function: Callable[[str], str]) -> None:
    """Another value of ``column`` in each row of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row | {column: function(row[column])} for row in csv.DictReader(file)]
    write_csv(path, rows)


def frame(spark: SparkSession, rows: list[Row], schema: Schema) -> DataFrame:
    """``rows`` with the columns and types of ``schema``."""
    texts = [[row[name] for name in schema] for row in rows]
    return spark.createDataFrame(texts, ", ".join(f"`{name}` string" for name in schema)).select(
        *parsed_columns(schema)
    )


def features(
    spark: SparkSession,
    transactions: list[Row],
    events: list[Row],
    customers: Iterable[Row] = (),
    past: Iterable[Row] = (),
    options: FeatureOptions = DEFAULTS,
) -> dict[str, dict]:
    """The batch features of these rows: transaction_id -> {column: value}."""
    people = frame(spark, list(customers), CUSTOMER)
    profiles = customer_profiles(people, frame(spark, list(past), TRANSACTION), options)
    browsing = frame(spark, events, BROWSING).withColumnRenamed("event_time", "browsed_at")
    featured = batch_features(frame(spark, transactions, TRANSACTION), browsing, profiles, options)
    return {row.transaction_id: row.asDict() for row in featured.collect()}
