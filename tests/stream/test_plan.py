"""Plans of the stream: a micro-batch is one task, and both topics get a bound by which they advance alike."""

import re
from contextlib import closing
from datetime import datetime, timedelta

import nbformat
import pytest
from kafka import KafkaAdminClient
from task2 import NOTEBOOK

from fraudstream.kafka.client import recreate_topics
from fraudstream.schemas import BROWSING_TOPIC, TOPICS, TRANSACTION_TOPIC
from fraudstream.settings import load_settings
from fraudstream.stream.plan import in_one_task, source_options


def exchanges(spark, folder, *steps):
    """Number of exchanges in the plan of a micro-batch of two stateful operators behind ``steps``."""
    rows = [(datetime(2024, 1, 1) + timedelta(seconds=number), number) for number in range(5)]
    spark.createDataFrame(rows, "event_time timestamp, number int").write.parquet(str(folder / "rows"))
    stream = spark.readStream.schema("event_time timestamp, number int").parquet(str(folder / "rows"))
    for step in steps:
        stream = stream.transform(step)
    counted = stream.dropDuplicatesWithinWatermark(["number"]).groupBy("number").count()
    writer = counted.writeStream.outputMode("update").format("noop").trigger(availableNow=True)
    query = writer.option("checkpointLocation", str(folder / "checkpoint")).start()
    query.awaitTermination()
    return query._jsq.explainInternal(False).count("Exchange ")


def with_watermark(rows):
    return rows.withWatermark("event_time", "1 minute")


def test_a_micro_batch_is_one_task_if_it_is_made_so_behind_the_watermark(spark, tmp_path):
    (tmp_path / "before").mkdir()
    assert exchanges(spark, tmp_path, with_watermark, in_one_task) == 0
    assert exchanges(spark, tmp_path / "before", in_one_task, with_watermark) > 0


def test_the_notebook_s_streams_are_made_so():
    code = "\n".join(cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code")
    streams = re.findall(r'withWatermark\("event_time", "[^"]*"\)(?:  #.*)?\n(.*)', code)
    assert sum(".transform(in_one_task)" in line for line in streams) == 3


@pytest.fixture
def topics(broker):
    """A function that creates the topics with these numbers of partitions; they have one each again afterwards."""

    def create(**partitions):
        with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
            admin.create_partitions(partitions)
            admin.wait_for_topics(TOPICS)

    recreate_topics({"bootstrap_servers": [broker]})
    yield create
    recreate_topics({"bootstrap_servers": [broker]})


def bounds(broker, **values):
    settings = load_settings(bootstrap_servers=broker, **values)
    return [
        source_options(settings, topic).get("maxOffsetsPerTrigger") for topic in (BROWSING_TOPIC, TRANSACTION_TOPIC)
    ]


def test_both_topics_of_one_partition_have_the_same_bound(broker, topics):
    assert bounds(broker) == ["300", "300"]
    assert bounds(broker, max_offsets_per_trigger=7) == ["7", "7"]
    assert bounds(broker, max_offsets_per_trigger=0) == [None, None]


def test_events_may_advance_by_what_spark_rounds_away_per_partition(broker, topics):
    topics(browsing_behaviour=4, transactions=3)
    assert bounds(broker) == ["305", "300"]
