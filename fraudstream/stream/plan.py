"""Cheap streaming plans: every micro-batch is planned again, and 200 rows need few tasks."""

from pyspark.sql import DataFrame

from fraudstream.kafka.security import spark_security
from fraudstream.settings import Settings

# The broker answers a fetch when there is something new, or after half a second. Spark's consumer asks for the ends of
# the topic on the same connection right after it has read, and would wait for that half second in every micro-batch.
FETCH_OPTIONS = {"kafka.fetch.max.wait.ms": "1"}


def source_options(settings: Settings) -> dict[str, str]:
    """Further options of Spark's Kafka source: fetching without a wait; security, unless Kafka is plaintext."""
    return FETCH_OPTIONS | spark_security(settings)


def in_one_task(rows: DataFrame) -> DataFrame:
    """``rows`` as one partition if stateful operators have one: no exchange is needed, and all steps are one task."""
    one = rows.sparkSession.conf.get("spark.sql.shuffle.partitions") == "1"
    return rows.coalesce(1) if one else rows


def as_lookup(rows: DataFrame, key: str) -> DataFrame:
    """``rows``, cached, for joins of a stream on ``key``.

    Where each step has one partition they are sorted once and merged with the few rows of each micro-batch. A
    broadcast join would collect, hash and broadcast all of them again in every micro-batch.
    """
    if rows.sparkSession.conf.get("spark.sql.shuffle.partitions") != "1":
        return rows.cache()
    return rows.repartition(1).sortWithinPartitions(key).cache().hint("merge")
