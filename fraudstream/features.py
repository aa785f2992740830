"""Part A's features, for the training and for a batch job over the files.

The stream's expressions are in the Task 2 notebook, where they are graded. ``batch_features`` computes the same
features in one batch job; the notebook's last cells and a test compare the two row by row.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fraudstream.schemas import CUSTOMER_FEATURES, LEVELS, PARTS_OF_DAY, SESSION_FEATURES, TRANSACTION
from fraudstream.settings import Settings

TRANSACTION_COLUMNS = tuple(TRANSACTION)
FEATURES = (*SESSION_FEATURES, *CUSTOMER_FEATURES)


@dataclass(frozen=True)
class FeatureOptions:
    """Definitions that part A leaves open; a model needs the options that it was trained with.

    ``purchases``: num_purchases counts the customer's past transactions before_checkout, all_past ones, or the
    successful_past ones. ``midpoint``: time_of_day is taken at the midpoint between the timestamps of the first and
    the last event, or at the mean of their hours of day. ``age``: days / 365.25, rounded, or difference of the years.
    """

    purchases: str = "before_checkout"
    midpoint: str = "timestamps"
    age: str = "days"

    @classmethod
    def of(cls, settings: Settings) -> FeatureOptions:
        """The options in the settings."""
        return cls(settings.purchases, settings.midpoint, settings.age)


DEFAULTS = FeatureOptions()
SUCCESS = "success"


def event_counts() -> list[Column]:
    """l1_count, l2_count, l3_count (bigint): events of each level."""
    return [F.count_if(F.col("event_type").isin(*codes)).alias(f"{level}_count") for level, codes in LEVELS.items()]


def session_span() -> list[Column]:
    """first_browsed_at, last_browsed_at: time of the first and the last event, on the shop's clock."""
    return [F.min("browsed_at").alias("first_browsed_at"), F.max("browsed_at").alias("last_browsed_at")]


def percentage(level: str) -> Column:
    """l1_ratio or l2_ratio (double, 0 to 100): the level's share of the session's events; 0 without events."""
    events = F.col("l1_count") + F.col("l2_count") + F.col("l3_count")
    return F.coalesce(F.try_divide(100 * F.col(f"{level}_count"), events), F.lit(0.0))


def midpoint_hour(midpoint: str = DEFAULTS.midpoint) -> Column:
    """The hour of day (int) at the midpoint of the span: between its timestamps, or the mean of its two hours."""
    first, last = F.col("first_browsed_at"), F.col("last_browsed_at")
    if midpoint == "hours":
        return F.floor((F.hour(first) + F.hour(last)) / 2)
    return F.hour(first + (last - first) / 2)


def part_of_day(midpoint: str = DEFAULTS.midpoint) -> Column:
    """time_of_day (string): morning [6,12), afternoon [12,18), evening [18,24), night [0,6), of the span's midpoint."""
    hour = midpoint_hour(midpoint)
    name = F.lit(None).cast("string")
    for part, begins in PARTS_OF_DAY.items():
        name = F.when(hour >= begins, part).otherwise(name)
    return name


def session_minutes() -> Column:
    """session_minutes (double): from the session's first event to the checkout, to the millisecond."""
    return F.expr("timestampdiff(MILLISECOND, first_browsed_at, created_at) / 60000")


def with_session_features(sessions: DataFrame, options: FeatureOptions = DEFAULTS) -> DataFrame:
    """Adds l1_ratio, l2_ratio (double, percent), time_of_day (string), session_minutes (double); drops the span.

    In: created_at, the counts of ``event_counts`` and the span of ``session_span``.
    """
    return sessions.withColumns(
        {
            "l1_ratio": percentage("l1"),
            "l2_ratio": percentage("l2"),
            "time_of_day": part_of_day(options.midpoint),
            "session_minutes": session_minutes(),
        }
    ).drop("first_browsed_at", "last_browsed_at")


def purchases_that_count(past_transactions: DataFrame, options: FeatureOptions = DEFAULTS) -> DataFrame:
    """The past transactions that num_purchases may count: all, or for successful_past the successful ones."""
    if options.purchases == "successful_past":
        return past_transactions.where(F.lower("payment_status") == SUCCESS)
    return past_transactions


def customer_profiles(
    customers: DataFrame, past_transactions: DataFrame, options: FeatureOptions = DEFAULTS
) -> DataFrame:
    """One row per customer of either file, with the columns that the customer features need.

    In: customer.csv and transactions.csv, typed. Out: customer_id int, gender string, birthdate date,
    first_join_date date, purchased_at array<timestamp_ntz>: times of the purchases that ``options`` count.
    """
    purchases = (
        purchases_that_count(past_transactions, options)
        .groupBy("customer_id")
        .agg(F.collect_list("created_at").alias("purchased_at"))
    )
    people = customers.select("customer_id", "gender", "birthdate", "first_join_date")
    return people.join(purchases, on="customer_id", how="full").where("customer_id is not null")


def age_in_years(age: str = DEFAULTS.age) -> Column:
    """age (int) at the purchase: days / 365.25, rounded half up, or the difference of the calendar years."""
    if age == "years":
        return F.year("created_at") - F.year("birthdate")
    return F.round(F.date_diff(F.to_date("created_at"), F.col("birthdate")) / 365.25).cast("int")


def purchases_counted(purchases: str = DEFAULTS.purchases) -> Column:
    """num_purchases (int): the profile's purchases before created_at, or all of them; 0 without any."""
    counted = F.col("purchased_at")
    if purchases == "before_checkout":
        counted = F.filter(counted, lambda purchased_at: purchased_at < F.col("created_at"))
    return F.coalesce(F.size(counted), F.lit(0))


def with_customer_features(
    transactions: DataFrame, profiles: DataFrame, options: FeatureOptions = DEFAULTS
) -> DataFrame:
    """Adds gender string, age int (years), first_join_year int, num_purchases int; null where the customer is unknown.

    In: transactions with customer_id and created_at; profiles from ``customer_profiles`` with the same ``options``.
    A left join keeps every row. num_purchases is 0 for a customer without any.
    """
    return (
        transactions.join(profiles, on="customer_id", how="left")
        .withColumns(
            {
                "age": age_in_years(options.age),
                "first_join_year": F.year("first_join_date"),
                "num_purchases": purchases_counted(options.purchases),
            }
        )
        .drop("birthdate", "first_join_date", "purchased_at")
    )


def with_options(transactions: DataFrame, options: FeatureOptions) -> DataFrame:
    """Replaces the features for which ``options`` differ from the default definition; unchanged by default.

    In: age, num_purchases, time_of_day and what they are computed from (created_at, the span, a profile's columns).
    """
    other = {
        "time_of_day": (options.midpoint != DEFAULTS.midpoint, part_of_day(options.midpoint)),
        "age": (options.age != DEFAULTS.age, age_in_years(options.age)),
        "num_purchases": (options.purchases != DEFAULTS.purchases, purchases_counted(options.purchases)),
    }
    changed = {name: column for name, (differs, column) in other.items() if differs}
    return transactions.withColumns(changed) if changed else transactions


def batch_features(
    transactions: DataFrame, browsing: DataFrame, profiles: DataFrame, options: FeatureOptions = DEFAULTS
) -> DataFrame:
    """The features as a batch job: one row per transaction that has an earlier event in its session.

    In: transactions (typed TRANSACTION columns), browsing (session_id, event_type, browsed_at), profiles (with the same
    ``options``).
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
        sessions.transform(with_session_features, options)
        .transform(with_customer_features, profiles, options)
        .select(*TRANSACTION_COLUMNS, *FEATURES)
    )
