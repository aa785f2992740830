"""Cheap streaming plans: every micro-batch is planned again, and 200 rows need few tasks."""

from pyspark.sql import DataFrame

# The broker answers a fetch when there is something new, or after half a second. Spark's consumer asks for the ends of
# the topic on the same connection right after it has read, and would wait for that half second in every micro-batch.
READ_OPTIONS = {"kafka.fetch.max.wait.ms": "1"}

UNSUPPORTED_CHECK = "spark.sql.streaming.unsupportedOperationCheck"


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


def optimized_once(rows: DataFrame) -> DataFrame:
    """``rows``, a streaming frame, with its plan optimised once, in advance.

    Spark optimises the plan of each micro-batch again, but finds nothing left to do in this one. The plan must not
    use the time of the micro-batch (current_timestamp): it would be fixed at the time of this call.
    """
    spark = rows.sparkSession
    before = spark.conf.get(UNSUPPORTED_CHECK)
    spark.conf.set(UNSUPPORTED_CHECK, "false")  # it treats a plan that is not started yet as a batch plan
    try:
        plan = rows._jdf.queryExecution().optimizedPlan()
    finally:
        spark.conf.set(UNSUPPORTED_CHECK, before)
    dataset = spark._jvm.org.apache.spark.sql.classic.Dataset.ofRows(spark._jsparkSession, plan)
    return DataFrame(dataset, spark)
