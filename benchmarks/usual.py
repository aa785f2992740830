"""The usual design of this assignment, measured: append mode, a minute's window per session, Spark's own options.

The sessions' events are counted per window of a minute, and each transaction is joined with the window that it is in.
In append mode a window is emitted when the watermark has passed it. Parsing, features, static joins and model are those
of Task 2's own cells; Spark's parquet sink writes the predictions, and the quarantine does not run.

    .venv/bin/python -m benchmarks.usual --partitions 200    # Spark's default
    .venv/bin/python -m benchmarks.usual --partitions 4

Prints the seconds from ts until a prediction can be read, and the share of the transactions that were predicted when
the last batch had been sent. The data are FRAUDSTREAM_DATA_DIR's, the model is FRAUDSTREAM_MODEL's.
"""

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import typer
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks.live import Feed, percentiles, wait_for
from benchmarks.task2 import Task2
from fraudstream.kafka import broker
from fraudstream.model.columns import with_model_columns
from fraudstream.runtime import spark
from fraudstream.settings import Settings, load_settings
from fraudstream.stream import plan

WINDOW = "1 minute"


def main(
    partitions: Annotated[int, typer.Option(help="Shuffle partitions: 200 is Spark's default.")] = 200,
    batches: Annotated[int, typer.Option(help="Batches that are sent, one per second.")] = 240,
) -> None:
    """Prints one line of JSON."""
    spark.STREAM_OPTIONS.clear()
    spark.STREAM_OPTIONS["spark.sql.shuffle.partitions"] = str(partitions)
    spark.LOCAL_CHECKPOINTS.clear()
    plan.FETCH_OPTIONS.clear()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ |= {"FRAUDSTREAM_OUTPUT_DIR": folder, "FRAUDSTREAM_MAX_OFFSETS_PER_TRIGGER": "0"}
        settings = load_settings()
        try:
            print(json.dumps(_measure(settings, batches, Path(folder, "usual"))))
        finally:
            broker.stop(settings)


def _measure(settings: Settings, batches: int, folder: Path) -> dict[str, Any]:
    task2 = Task2()
    task2.run(until="Persist the predictions as parquet")
    names = task2.names
    names["quarantine_query"].stop()
    query = (
        usual_predictions(names)
        .writeStream.format("parquet")
        .option("path", str(folder))
        .option("checkpointLocation", f"{folder}-checkpoint")
        .start()
    )
    feed = Feed(settings, names["address"])
    feed.start()
    wait_for(feed, batches)
    feed.ended.set()
    feed.join()
    predicted = _seconds_to_readable(folder)
    micro_batches = [each.durationMs["triggerExecution"] for each in query.recentProgress if each.numInputRows]
    query.stop()
    names["spark"].stop()
    return {
        "ts to readable, s": percentiles(predicted),
        "micro-batch, ms": percentiles(micro_batches),
        "predicted when the last batch was sent, %": round(100 * len(predicted) / feed.transactions),
    }


def usual_predictions(names: dict[str, Any]) -> DataFrame:
    """The predictions of the usual design, from the streams, expressions and model that Task 2's cells have defined."""
    sessions = (
        names["browsing_at"]
        .withWatermark("event_time", WINDOW)
        .groupBy(F.window("event_time", WINDOW), "session_id")
        .agg(*names["event_counts"], *names["session_span"])
        .withColumn("closed_at", F.window_time("window"))
        .drop("window")
    )
    columns = names["TRANSACTION_COLUMNS"]
    transactions = names["transactions_at"].withWatermark("event_time", WINDOW).select(*columns, "ts", "event_time")
    transactions = transactions.withColumn(
        "product_metadata", F.from_json("product_metadata", names["PRODUCT_METADATA"])
    ).withColumnRenamed("session_id", "bought_in")
    joined = transactions.join(
        sessions,
        F.expr(f"bought_in = session_id and closed_at >= event_time and closed_at <= event_time + interval {WINDOW}"),
        how="inner",
    )
    features = joined.withColumns(_session_features(names)).join(names["profiles"], on="customer_id", how="left")
    features = features.withColumns(_customer_features(names)).select(*names["features"].columns)
    scored = names["fraud_model"].transform(with_model_columns(features, names["matched"]))
    return scored.select("row.*", vector_to_array("probability").alias("probability"), "prediction")


def _session_features(names: dict[str, Any]) -> dict[str, Any]:
    shares = {
        f"{level}_ratio": F.coalesce(F.try_divide(100 * F.col(f"{level}_count"), names["all_events"]), F.lit(0.0))
        for level in ("l1", "l2")
    }
    minutes = F.expr("timestampdiff(MILLISECOND, first_browsed_at, created_at) / 60000")
    return {**shares, "time_of_day": names["time_of_day"], "session_minutes": minutes}


def _customer_features(names: dict[str, Any]) -> dict[str, Any]:
    return {
        "age": F.round(F.date_diff(F.to_date("created_at"), F.col("birthdate")) / 365.25).cast("int"),
        "first_join_year": F.year("first_join_date"),
        "num_purchases": F.coalesce(F.size(names["purchases_before"]), F.lit(0)),
    }


def _seconds_to_readable(folder: Path) -> list[float]:
    """Of each prediction: seconds from its ts until its file was complete."""
    seconds = []
    for file in folder.glob("*.parquet"):
        with suppress(pa.ArrowInvalid):  # not complete yet
            table = pq.read_table(file, columns=["ts"])
            seconds += [file.stat().st_mtime - ts for ts in table["ts"].to_pylist()]
    return seconds


if __name__ == "__main__":
    typer.run(main)
