"""How much processor time does a browsing row take from Kafka's message to a typed row, and in the quarantine?

Without Kafka and state: messages of 200 rows in a file, read by one task. Prints the seconds of Java's processor time
of each pass; the first ones include compilation.

    .venv/bin/python -m benchmarks.ingest

The data are FRAUDSTREAM_DATA_DIR's.
"""

import json
import tempfile
import time
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import psutil
import typer
from pyspark import SparkConf
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fraudstream.data.parsing import parsed
from fraudstream.producer.replay import BrowsingCursor
from fraudstream.runtime.spark import engine_options
from fraudstream.schemas import BROWSING_TOPIC, NEW_BROWSING
from fraudstream.settings import load_settings
from fraudstream.stream.ingest import ORIGIN, explode_messages, good_rows, in_brackets, quarantined
from fraudstream.stream.readable import JSON_OPTIONS

KAFKA = "value binary, topic string, partition int, offset long, timestamp timestamp"


def main(
    messages: Annotated[int, typer.Option(help="Messages of 200 rows.")] = 600,
    passes: Annotated[int, typer.Option(help="How often all of them are read.")] = 5,
) -> None:
    """Prints one line for the typed rows and one for the quarantine."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = load_settings(output_dir=folder)
        conf = SparkConf().setMaster("local[2]").setAll(engine_options(settings))
        spark = SparkSession.builder.config(conf=conf).getOrCreate()
        java = next(each for each in psutil.Process().children(recursive=True) if each.name() == "java")
        rows = _rows(spark, settings.data_dir, Path(folder) / "messages", messages)
        casts = {name: parsed(F.col(name), type_) for name, type_ in NEW_BROWSING.items()}
        typed = good_rows(rows, BROWSING_TOPIC).withColumns(casts)
        for name, result in {"typed rows": typed, "quarantine": quarantined({BROWSING_TOPIC: rows})}.items():
            seconds = [_cpu_s(java, result) for _ in range(passes)]
            print(f"{name:<12}{200 * messages:,} rows: {', '.join(f'{each:.2f}' for each in seconds)} s")
        spark.stop()


def _rows(spark: SparkSession, data_dir: Path, folder: Path, messages: int) -> DataFrame:
    """The exploded rows of so many messages, written to ``folder`` and read by one task."""
    browsing, ts = BrowsingCursor(data_dir / "new_browsing_behaviour.csv"), int(time.time())
    batches = islice(iter(browsing.next_rows, []), messages)
    values = (json.dumps([row | {"ts": ts} for row in rows]).encode() for rows in batches)
    sent_at = datetime.fromtimestamp(ts)
    records = [(value, BROWSING_TOPIC, 0, offset, sent_at) for offset, value in enumerate(values)]
    spark.createDataFrame(records, KAFKA).coalesce(1).write.parquet(str(folder))
    strings = ", ".join(f"{name}: string" for name in NEW_BROWSING) + ", ts: int"
    lists = F.from_json(in_brackets("value"), f"array<array<struct<{strings}>>>", JSON_OPTIONS)
    source = spark.read.schema(KAFKA).parquet(str(folder)).coalesce(1)
    return explode_messages(source.withColumn("lists", lists)).select("row.*", *ORIGIN)


def _cpu_s(java: psutil.Process, rows: DataFrame) -> float:
    before = java.cpu_times()
    rows.write.format("noop").mode("overwrite").save()
    after = java.cpu_times()
    return after.user + after.system - before.user - before.system


if __name__ == "__main__":
    typer.run(main)
