"""Part A's features, written once: the training (batch) and the stream (Task 2) use the same expressions.

The stream's join and groupBy stand in the Task 2 notebook, where they are graded; their batch twin is
``batch_features``. A test compares the two row by row.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fraudstream.schemas import CUSTOMER_FEATURES, FRAUD_WORDS, PRODUCT_METADATA, SESSION_FEATURES, TRANSACTION, Schema
from fraudstream.settings import Settings

# Part A's three levels of browsing events: buying, looking at products, wandering about
LEVELS = {
    "l1": ("AP", "ATC", "CO"),
    "l2": ("VC", "VP", "VI", "SER"),
    "l3": ("SCR", "HP", "CL"),
}
# first hour of the day at which each part of the day begins; night is [0, 6)
PARTS_OF_DAY = {"evening": 18, "afternoon": 12, "morning": 6, "night": 0}

TRANSACTION_COLUMNS = tuple(TRANSACTION)
FEATURES = (*SESSION_FEATURES, *CUSTOMER_FEATURES)

# The shop's clock is not Melbourne's: its times carry no zone, so that no daylight saving bends them
SHOP_TIME = "timestamp_ntz"


@dataclass(frozen=True)
class Readings:
    """How part A's wording is read where it leaves a choice; a model must get the reading that it was trained on.

    ``purchases``: num_purchases counts the customer's past transactions before_checkout, all_past ones, or the
    successful_past ones. ``midpoint``: time_of_day is that of the middle between the timestamps of the first and the
    last event, or of the mean of their two hours. ``age``: in days / 365.25, rounded, or as difference of the years.
    """

    purchases: str = "before_checkout"
    midpoint: str = "timestamps"
    age: str = "days"

    @classmethod
    def of(cls, settings: Settings) -> Readings:
        """The readings that the settings choose."""
        return cls(settings.purchases, settings.midpoint, settings.age)


OURS = Readings()
SUCCESS = "success"


def typed(name: str, type_: str) -> Column:
    """The string column ``name`` as ``type_`` of the metadata; an empty string or an unreadable one gives null.

    A plain cast would stop the stream at the first unreadable value (ANSI mode); timestamps become SHOP_TIME.
    """
    text = F.col(name)
    if type_ == "string":
        return text
    if name == "product_metadata":
        return F.from_json(text, type_)
    if type_ == "boolean":
        return F.lower(F.trim(text)).isin(*FRAUD_WORDS)
    wanted = SHOP_TIME if type_ == "timestamp" else type_
    return text.try_cast(wanted)


def typed_columns(schema: Schema) -> list[Column]:
    """Each string column of ``schema`` under its own name and metadata type; product_metadata as array of structs."""
    types = {**schema, **({"product_metadata": PRODUCT_METADATA} if "product_metadata" in schema else {})}
    return [typed(name, type_).alias(name) for name, type_ in types.items()]


def event_counts() -> list[Column]:
    """l1_count, l2_count, l3_count (bigint): events of each level."""
    return [F.count_if(F.col("event_type").isin(*codes)).alias(f"{level}_count") for level, codes in LEVELS.items()]


def session_span() -> list[Column]:
    """first_browsed_at, last_browsed_at: time of the first and the last event, on the shop's clock."""
    return [F.min("browsed_at").alias("first_browsed_at"), F.max("browsed_at").alias("last_browsed_at")]


def percentage(level: str) -> Column:
    """l1_ratio or l2_ratio (double, 0 to 100): the level's share of the session's events; 0 without any."""
    events = F.col("l1_count") + F.col("l2_count") + F.col("l3_count")
    return F.coalesce(F.try_divide(100 * F.col(f"{level}_count"), events), F.lit(0.0))


def midpoint_hour(midpoint: str = OURS.midpoint) -> Column:
    """The hour of day (int) in the middle of the span: between its timestamps, or the mean of its two hours."""
    first, last = F.col("first_browsed_at"), F.col("last_browsed_at")
    if midpoint == "hours":
        return F.floor((F.hour(first) + F.hour(last)) / 2)
    return F.hour(first + (last - first) / 2)


def part_of_day(midpoint: str = OURS.midpoint) -> Column:
    """time_of_day (string): morning [6,12), afternoon [12,18), evening [18,24), night [0,6), of the span's midpoint."""
    hour = midpoint_hour(midpoint)
    name = F.lit(None).cast("string")
    for part, begins in sorted(PARTS_OF_DAY.items(), key=lambda item: item[1]):
        name = F.when(hour >= begins, part).otherwise(name)
    return name


def with_session_features(sessions: DataFrame, readings: Readings = OURS) -> DataFrame:
    """Adds l1_ratio, l2_ratio (double, percent) and time_of_day (string) to counts and span; drops the span."""
    return sessions.withColumns(
        {"l1_ratio": percentage("l1"), "l2_ratio": percentage("l2"), "time_of_day": part_of_day(readings.midpoint)}
    ).drop("first_browsed_at", "last_browsed_at")


def customer_profiles(customers: DataFrame, past_transactions: DataFrame, readings: Readings = OURS) -> DataFrame:
    """One row a customer of either file, with what the customer features need.

    In: customer.csv and transactions.csv, typed. Out: customer_id int, gender string, birthdate date,
    first_join_date date, purchased_at array<timestamp_ntz>: of the purchases that ``readings`` count.
    """
    if readings.purchases == "successful_past":
        past_transactions = past_transactions.where(F.lower("payment_status") == SUCCESS)
    purchases = past_transactions.groupBy("customer_id").agg(F.collect_list("created_at").alias("purchased_at"))
    people = customers.select("customer_id", "gender", "birthdate", "first_join_date")
    return people.join(purchases, on="customer_id", how="full").where("customer_id is not null")


def age_in_years(age: str = OURS.age) -> Column:
    """age (int) when buying: days / 365.25, rounded half up, or the difference of the calendar years."""
    if age == "years":
        return F.year("created_at") - F.year("birthdate")
    return F.round(F.date_diff(F.to_date("created_at"), F.col("birthdate")) / 365.25).cast("int")


def purchases_counted(purchases: str = OURS.purchases) -> Column:
    """num_purchases (int): the profile's purchases before created_at, or all of them; 0 without any."""
    counted = F.col("purchased_at")
    if purchases == "before_checkout":
        counted = F.filter(counted, lambda purchased_at: purchased_at < F.col("created_at"))
    return F.coalesce(F.size(counted), F.lit(0))


def with_customer_features(transactions: DataFrame, profiles: DataFrame, readings: Readings = OURS) -> DataFrame:
    """Adds gender string, age int (years), first_join_year int, num_purchases int; null where the customer is unknown.

    In: transactions with customer_id and created_at; profiles as of ``customer_profiles`` with the same ``readings``.
    No row is lost: left join. num_purchases is 0 for a customer without any.
    """
    return (
        transactions.join(profiles, on="customer_id", how="left")
        .withColumns(
            {
                "age": age_in_years(readings.age),
                "first_join_year": F.year("first_join_date"),
                "num_purchases": purchases_counted(readings.purchases),
            }
        )
        .drop("birthdate", "first_join_date", "purchased_at")
    )


def batch_features(
    transactions: DataFrame, browsing: DataFrame, profiles: DataFrame, readings: Readings = OURS
) -> DataFrame:
    """The stream's features of finished files: one row for each transaction that has an earlier event in its session.

    In: transactions (typed TRANSACTION columns), browsing (session_id, event_type, browsed_at), profiles (with the same
    ``readings``).
    Out: TRANSACTION_COLUMNS and FEATURES.
    """
    sessions = (
        transactions.alias("t")
        .join(
            browsing.alias("b"),
            on=F.expr("t.session_id = b.session_id and b.browsed_at <= t.created_at"),
            how="inner",
        )
        .groupBy([f"t.{name}" for name in TRANSACTION_COLUMNS])
        .agg(*event_counts(), *session_span())
    )
    return (
        sessions.transform(with_session_features, readings)
        .transform(with_customer_features, profiles, readings)
        .select(*TRANSACTION_COLUMNS, *FEATURES)
    )
