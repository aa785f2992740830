"""From Kafka messages to rows: what cannot be read is set apart with its reason, the rest goes on (2.3, 2.4)."""

from functools import reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fraudstream.features import typed
from fraudstream.schemas import BROWSING_TOPIC, NEW_BROWSING, PRODUCT_METADATA, TRANSACTION, TRANSACTION_TOPIC
from fraudstream.stream.sink import write_batch

SCHEMAS = {BROWSING_TOPIC: NEW_BROWSING, TRANSACTION_TOPIC: TRANSACTION}

# Without these a row has no place in the stream; any other value may be empty
KEYS = {
    BROWSING_TOPIC: ("session_id", "event_type", "event_time"),
    TRANSACTION_TOPIC: ("transaction_id", "session_id", "created_at", "product_metadata"),
}
# One semester's browsing file has no customer_id; the transaction carries it
OPTIONAL = {BROWSING_TOPIC: ("customer_id",), TRANSACTION_TOPIC: ()}

MAX_AHEAD_S = 60
QUARANTINE_COLUMNS = ("topic", "partition", "offset", "position", "raw_value", "reason")


def rows_of_messages(messages: DataFrame, topic: str) -> DataFrame:
    """One row for each element of each message's JSON list, every column a string, ts an int.

    In: Spark's Kafka source (value, topic, partition, offset, timestamp). Out: the topic's columns, ts, and of the
    row's origin topic, partition, offset, position (in the list), raw_value, sent_at; an empty list gives no row,
    a message that is no JSON list gives one, with raw_value the message and all columns null.
    """
    columns = SCHEMAS[topic]
    strings = ", ".join(f"{name} string" for name in columns)
    text = F.try_validate_utf8(F.col("value").cast("string"))
    elements = messages.select(
        "topic",
        "partition",
        "offset",
        F.col("timestamp").alias("sent_at"),
        F.col("value").cast("string").alias("message"),
        F.posexplode(F.coalesce(F.from_json(text, "array<string>"), F.array(F.lit(None)))).alias("position", "element"),
    )
    return elements.withColumn("row", F.from_json("element", f"{strings}, ts int")).select(
        "row.*",
        "topic",
        "partition",
        "offset",
        "position",
        F.coalesce("element", "message").alias("raw_value"),
        "sent_at",
        F.col("element").isNotNull().alias("in_list"),
    )


def rejection(topic: str) -> Column:
    """reason (string): why a row of ``rows_of_messages`` cannot be used; null for a good one."""
    reasons = [
        (~F.col("in_list"), "the message is not a JSON list of objects in UTF-8"),
        (F.col("ts").isNull(), "ts is missing or no whole number"),
        (
            F.timestamp_seconds("ts") > F.col("sent_at") + F.expr(f"interval {MAX_AHEAD_S} seconds"),
            f"ts is more than {MAX_AHEAD_S} s ahead of its Kafka record",
        ),
    ]
    for name, type_ in SCHEMAS[topic].items():
        text = F.col(name)
        if name not in OPTIONAL[topic]:
            reasons.append((text.isNull(), f"{name} is missing"))
        if name in KEYS[topic]:
            reasons.append((text == "", f"{name} is empty"))
        if name == "product_metadata":
            reasons.append((~readable_cart(), "product_metadata is no list of product_id, quantity and item_price"))
        elif type_ != "string":
            reasons.append(((text != "") & typed(name, type_).isNull(), f"{name} cannot be read as {type_}"))
    # folded from the last, so that the first reason that holds is the one given
    return reduce(lambda rest, item: F.when(item[0], item[1]).otherwise(rest), reversed(reasons), F.lit(None))


def readable_cart() -> Column:
    """Whether product_metadata is a list whose items all have a product and a quantity (boolean, never null)."""
    cart = typed("product_metadata", PRODUCT_METADATA)
    complete = F.forall(cart, lambda item: item.product_id.isNotNull() & item.quantity.isNotNull())
    return F.coalesce(complete, F.lit(False))


def good_rows(rows: DataFrame, topic: str) -> DataFrame:
    """The rows that can be used, with the topic's columns (strings), ts (int) and position (int, place in its list)."""
    return rows.where(rejection(topic).isNull()).select(*SCHEMAS[topic], "ts", "position")


def quarantined(rows_by_topic: dict[str, DataFrame]) -> DataFrame:
    """The rows of all topics that cannot be used: QUARANTINE_COLUMNS."""
    rejected = [
        rows.withColumn("reason", rejection(topic)).where("reason is not null").select(*QUARANTINE_COLUMNS)
        for topic, rows in rows_by_topic.items()
    ]
    return reduce(DataFrame.unionByName, rejected)


def write_quarantine(folder: Path):
    """A foreachBatch function that keeps a micro-batch's rejected rows under ``folder``; nothing where there are none.

    May run twice for the same batch and changes nothing the second time.
    """

    def write(batch: DataFrame, batch_id: int) -> None:
        write_batch(batch.toArrow(), folder, batch_id, even_if_empty=False)

    return write
