"""Cheap streaming plans: every micro-batch is planned again, and 200 rows need few tasks."""

from pyspark.sql import DataFrame

from fraudstream.kafka.client import client_options, end_offsets
from fraudstream.kafka.security import spark_security
from fraudstream.schemas import BROWSING_TOPIC, TOPICS
from fraudstream.settings import Settings

# The broker answers a fetch when there is something new, or after half a second. Spark's consumer asks for the ends of
# the topic on the same connection right after it has read, and would wait for that half second in every micro-batch.
FETCH_OPTIONS = {"kafka.fetch.max.wait.ms": "1"}


def source_options(settings: Settings, topic: str) -> dict[str, str]:
    """Further options of Spark's Kafka source: bounded micro-batches, fetching without a wait, Kafka's security.

    Raises BrokerError if Kafka does not answer or has no such topic.
    """
    limit = settings.max_offsets_per_trigger
    bound = {"maxOffsetsPerTrigger": str(limit + _head_start(settings, topic))} if limit else {}
    return FETCH_OPTIONS | bound | spark_security(settings)


def _head_start(settings: Settings, topic: str) -> int:
    """Messages by which the events may advance further than the transactions in one micro-batch.

    A transaction whose events are read later is predicted without them first. Spark splits the bound over a topic's
    partitions in proportion to their lag and rounds: down, which may cost the events a message per partition but one,
    or up to one message, which may bring the transactions as many. With one partition both topics advance alike.
    """
    if topic != BROWSING_TOPIC:
        return 0
    client = client_options(settings)
    return sum(len(end_offsets(client, each)) - 1 for each in TOPICS)


def in_one_task(rows: DataFrame) -> DataFrame:
    """``rows`` as one partition if stateful operators have one: no exchange is needed, and all steps are one task.

    To be applied behind ``withWatermark``: there, Spark 4.2 forgets that rows are in one partition, and exchanges them.
    """
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
