"""A small stream with real Spark and the product's sink: numbers in files, one file per micro-batch, state, parquet.

As a program it reads what there is and ends, or is killed at a point of a micro-batch:

    python tests/small_stream.py FOLDER [POINT BATCH]
"""

import os
import signal
import sys
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.readwriter import DataStreamWriter

from fraudstream.stream.sink import PredictionSink
from fraudstream.stream.store import batch_files, batch_number, read_batch

PER_FILE = 5
POINTS = ("between offset log and sink", "before the rename", "between rename and commit log")


def write_numbers(folder: Path, files: range) -> None:
    """One JSON file of PER_FILE numbers per element of ``files``; each number is there twice."""
    (folder / "in").mkdir(parents=True, exist_ok=True)
    for file in files:
        numbers = range(PER_FILE * file, PER_FILE * (file + 1))
        lines = [f'{{"number": {number}, "ts": {1_700_000_000 + number}}}\n' for number in numbers]
        hidden = folder / f".{file}"
        hidden.write_text("".join(2 * lines))
        os.utime(hidden, (1_700_000_000 + file,) * 2)  # Spark reads files in the order of their times
        hidden.rename(folder / "in" / f"{file:04}.json")


def stored(folder: Path) -> list[int]:
    """The numbers in the micro-batches' files, by micro-batch."""
    files = sorted(batch_files(folder / "predictions"), key=batch_number)
    return [number for file in files for number in read_batch(file)["number"].to_pylist()]


def rows(spark: SparkSession, folder: Path) -> DataFrame:
    """The stream of numbers, each once: a stateful operator."""
    read = spark.readStream.schema("number long, ts long").option("maxFilesPerTrigger", 1).json(str(folder / "in"))
    once = read.withColumn("event_time", F.timestamp_seconds("ts")).withWatermark("event_time", "1 minute")
    return once.dropDuplicatesWithinWatermark(["number"]).select("number", "ts")


def writer(spark: SparkSession, folder: Path, function=None) -> DataStreamWriter:
    """A writer to the sink, or to ``function(batch, batch_id, sink)``, in update mode."""
    checkpoint = folder / "checkpoints" / "predictions"
    to = PredictionSink(folder / "predictions", checkpoint, note=lambda line: None)
    write = to if function is None else lambda batch, batch_id: function(batch, batch_id, to)
    stream = rows(spark, folder).writeStream.outputMode("update").option("checkpointLocation", str(checkpoint))
    return stream.foreachBatch(write)


def _die() -> None:
    os.killpg(0, signal.SIGKILL)  # Python and Java at the same moment


def _killed_at(point: str, killed_batch: int):
    """A foreachBatch function that is killed at ``point`` of micro-batch ``killed_batch``."""

    def write(batch: DataFrame, batch_id: int, to: PredictionSink) -> None:
        if batch_id == killed_batch and point == POINTS[0]:
            _die()
        if batch_id == killed_batch and point == POINTS[1]:
            Path.rename = lambda *paths: _die()
        to(batch, batch_id)
        if batch_id == killed_batch and point == POINTS[2]:
            _die()

    return write


if __name__ == "__main__":
    from pyspark import SparkConf

    from fraudstream.runtime.spark import STREAM_OPTIONS, engine_options
    from fraudstream.settings import load_settings

    target = Path(sys.argv[1])
    own = load_settings(output_dir=target, spark_master="local[2]")
    conf = SparkConf().setMaster("local[2]").setAppName("faults").setAll(engine_options(own, STREAM_OPTIONS))
    session = SparkSession.builder.config(conf=conf).getOrCreate()
    function = _killed_at(sys.argv[2], int(sys.argv[3])) if len(sys.argv) > 2 else None
    query = writer(session, target, function).trigger(availableNow=True).start()
    query.awaitTermination()
    session.stop()
