"""A row of exactly a minute is late, one of a second less is not: Spark and the reconciliation draw the same line."""

import json
import os

import pytest
from pyspark.sql import functions as F

from fraudstream.kafka.topic_reader import TopicRow
from fraudstream.schemas import WATERMARK_DELAY_S

NOW = 1_700_000_120


@pytest.fixture
def kept(spark, tmp_path):
    """A function: whether Spark keeps a row that is so many seconds behind, after a micro-batch with ts NOW."""

    def kept(behind_s):
        folder = tmp_path / str(behind_s)
        folder.mkdir()
        for number, ts in enumerate((NOW, NOW + 0, NOW - behind_s)):
            file = folder / f"{number}.json"
            file.write_text(json.dumps({"key": number, "ts": ts}))
            os.utime(file, (NOW + number,) * 2)  # Spark reads files in the order of their times
        read = spark.readStream.schema("key int, ts int").option("maxFilesPerTrigger", 1).json(str(folder))
        rows = read.withColumn("event_time", F.timestamp_seconds("ts"))
        once = rows.withWatermark("event_time", f"{WATERMARK_DELAY_S} seconds").dropDuplicatesWithinWatermark(["key"])
        found = []
        query = once.writeStream.foreachBatch(lambda batch, _: found.extend(row.key for row in batch.collect()))
        query.option("checkpointLocation", str(folder / "c")).trigger(availableNow=True).start().awaitTermination()
        return 2 in found

    return kept


@pytest.mark.parametrize("behind_s", [0, 59, 60, 61])
def test_stream_and_reconciliation_agree_on_what_is_late(kept, behind_s):
    late = TopicRow({}, ts=NOW - behind_s, newest_ts=NOW, position=(0, 0, 0)).late
    assert kept(behind_s) == (not late)
    assert late == (behind_s >= WATERMARK_DELAY_S)
