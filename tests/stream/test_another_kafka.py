"""Real Spark, two real brokers, one port: nothing of another project's topics is stored, and our query continues."""

import pytest
from messages import sender
from two_clusters import batch, kill, takes_the_port

from fraudstream.kafka import broker as embedded
from fraudstream.kafka.client import client_options, recreate_topics
from fraudstream.kafka.probe import wait_for
from fraudstream.schemas import PREDICTIONS, TRANSACTION_TOPIC
from fraudstream.stream.checkpoint import require_same_topics
from fraudstream.stream.monitor import StreamMonitor
from fraudstream.stream.sink import PredictionSink
from fraudstream.stream.store import batch_files, read_batch

pytestmark = pytest.mark.faults
VALUES = "values"


@pytest.fixture
def start(spark, ours):
    """A function that starts a query of the transactions' messages, as the notebook starts 2.6; it takes notes."""
    started, checkpoint = [], ours.checkpoints / PREDICTIONS

    def start(note=print):
        guard = require_same_topics(ours.checkpoints, client_options(ours), note)
        source = spark.readStream.format("kafka").option("subscribe", TRANSACTION_TOPIC)
        source = source.option("kafka.bootstrap.servers", embedded.status(ours).address)
        messages = source.option("startingOffsets", "earliest").load().selectExpr("cast(value as string) value")
        writer = messages.writeStream.queryName(PREDICTIONS).option("checkpointLocation", str(checkpoint))
        started.append(writer.foreachBatch(PredictionSink(ours.output_dir / VALUES, checkpoint, guard)).start())
        return started[-1]

    yield start
    for query in started:
        query.stop()


def stored(settings):
    """The numbers in the messages that were stored, in order."""
    values = [
        value for file in batch_files(settings.output_dir / VALUES) for value in read_batch(file)["value"].to_pylist()
    ]
    return sorted(int(value.split('"ts": ')[1].rstrip("}]")) - 1_745_818_012 for value in values)


def send(settings, numbers):
    with sender(embedded.status(settings).address) as to:
        to(TRANSACTION_TOPIC, *map(batch, numbers))


def ended(query):
    assert wait_for(lambda: not query.isActive, 120, lambda waited: None)


@pytest.mark.parametrize("others", [range(100, 110), range(100, 101)], ids=["longer", "shorter"])
def test_a_stream_stops_before_it_stores_another_kafka_s_messages_and_continues_with_ours(ours, other, start, others):
    monitor, notes = StreamMonitor(ours, client_options(ours)), []
    send(ours, range(3))
    query = start()
    monitor.watch(query)
    assert wait_for(lambda: stored(ours) == [0, 1, 2], 60, lambda waited: None)
    address = embedded.status(ours).address
    kill(ours)
    takes_the_port(other, address)
    send(other, others)
    ended(query)
    now = monitor.refresh()
    assert (now.state, now.failed) == ("stopped", True)
    assert now.detail.startswith("another Kafka answers there: cluster ")
    assert stored(ours) == [0, 1, 2]
    embedded.stop(other)
    embedded.start(ours)
    send(ours, range(3, 5))
    start(notes.append).processAllAvailable()
    assert stored(ours) == [0, 1, 2, 3, 4]
    assert [note.split(" was ")[1] for note in notes] == ["planned from another Kafka. It is planned again."]


def test_topics_recreated_under_a_running_stream_stop_it_with_the_remedy(ours, start):
    send(ours, range(3))
    query = start()
    assert wait_for(lambda: stored(ours) == [0, 1, 2], 60, lambda waited: None)
    recreate_topics(client_options(ours))
    send(ours, range(10, 20))
    ended(query)
    assert "the topics have been deleted and created again" in str(query.exception())
    assert stored(ours) == [0, 1, 2]


def test_a_guard_passes_while_kafka_is_away_and_after_it_has_come_back(ours):
    guard = require_same_topics(ours.checkpoints, client_options(ours))
    guard.require()
    kill(ours)
    guard.require()
    embedded.start(ours)
    for _ in range(3):
        guard.require()
