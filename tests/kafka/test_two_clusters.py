"""Two real brokers, one port: a client whose broker died never uses the one that took its port.

Its own embedded broker is started again, and it follows it to another port.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from messages import sender as other_sender
from stream_files import records
from two_clusters import TS_MS, batch, kill, takes_the_port

from fraudstream.errors import BrokerError, OutputError
from fraudstream.kafka import broker as embedded
from fraudstream.kafka.client import client_options, end_offsets, other_cluster, recreate_topics
from fraudstream.producer.guard import REQUEST_TIMEOUT_MS, SOCKET_OPTIONS
from fraudstream.producer.sender import Sender
from fraudstream.schemas import BROWSING_TOPIC, TRANSACTION_TOPIC
from fraudstream.stream.checkpoint import require_same_topics

# isort: split
from kafka3 import KafkaProducer

pytestmark = pytest.mark.faults

OPTIONS = {
    "acks": "all",
    "max_in_flight_requests_per_connection": 1,
    "max_block_ms": 2000,
    "request_timeout_ms": REQUEST_TIMEOUT_MS,
    "socket_options": SOCKET_OPTIONS,
}


@pytest.fixture
def connect():
    opened = []

    def connect(client, note=print):
        producer = KafkaProducer(**client, **OPTIONS)
        opened.append(Sender(producer, client, 90, note))
        return opened[-1]

    yield connect
    for sender in opened:
        sender.close()


def numbers(address):
    return [row["number"] for record in records(address, BROWSING_TOPIC) for row in json.loads(record.value)]


def test_a_sender_waits_for_its_own_cluster_while_another_has_its_port(connect, ours, other):
    address, notes = embedded.status(ours).address, []
    sender = connect({"bootstrap_servers": [address]}, notes.append)  # nothing says that it is the embedded broker
    for number in range(3):
        sender.send(BROWSING_TOPIC, [{"number": number}], TS_MS)
    kill(ours)
    takes_the_port(other, address)
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(sender.send, BROWSING_TOPIC, [{"number": 3}], TS_MS)
        time.sleep(6)
        assert not sending.done()
        assert numbers(address) == []
        embedded.stop(other)
        assert embedded.start(ours) == address
        sending.result(60)
    assert numbers(address) == [0, 1, 2, 3]
    assert notes[0].startswith("Waiting for Kafka for ")


def test_a_sender_starts_its_killed_broker_again_and_follows_it_to_another_port(connect, ours, other):
    before, notes = embedded.status(ours).address, []
    sender = connect(client_options(ours), notes.append)
    for number in range(3):
        sender.send(BROWSING_TOPIC, [{"number": number}], TS_MS)
    kill(ours)
    takes_the_port(other, before)
    for number in range(3, 6):
        sender.send(BROWSING_TOPIC, [{"number": number}], TS_MS)
    after = embedded.status(ours).address
    assert after != before
    assert (numbers(after), numbers(before)) == ([0, 1, 2, 3, 4, 5], [])
    assert notes.count("The embedded broker was killed: starting it again.") == 1


def test_a_broker_that_was_stopped_on_purpose_is_not_started_again(connect, ours):
    sender = connect(client_options(ours))
    sender.send(BROWSING_TOPIC, [{"number": 0}], TS_MS)
    embedded.stop(ours)
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(sender.send, BROWSING_TOPIC, [{"number": 1}], TS_MS)
        time.sleep(4)
        assert not embedded.status(ours).running
        embedded.start(ours)
        sending.result(60)
    assert numbers(embedded.status(ours).address) == [0, 1]


def test_topics_of_another_cluster_are_neither_emptied_nor_counted(ours, other):
    address, client = embedded.status(ours).address, client_options(ours)
    kill(ours)
    takes_the_port(other, address)
    with other_sender(address) as send:
        send(TRANSACTION_TOPIC, batch(0))
    for ask in (recreate_topics, lambda each: end_offsets(each, TRANSACTION_TOPIC)):
        with pytest.raises(BrokerError, match=rf"^Kafka at {address}: another Kafka answers there: cluster "):
            ask(client)
    assert len(records(address, TRANSACTION_TOPIC)) == 1


def test_a_checkpoint_of_other_topics_or_of_another_cluster_is_refused(ours, other, tmp_path):
    checkpoints, client = tmp_path / "checkpoints", client_options(ours)
    for _ in range(2):
        require_same_topics(checkpoints, client)
    recreate_topics(client)
    with pytest.raises(
        OutputError, match=r"^.*/checkpoints belong to topics that have been deleted and created again "
    ):
        require_same_topics(checkpoints, client)
    embedded.start(other)
    recreate_topics(client_options(other))
    with pytest.raises(OutputError, match=r"^.*/checkpoints belong to another Kafka: Spark would skip messages or "):
        require_same_topics(checkpoints, client_options(other))


def test_another_cluster_at_our_address_is_told_from_ours_and_from_none(ours, other):
    address, client = embedded.status(ours).address, client_options(ours)
    assert other_cluster(client) is None
    kill(ours)
    assert other_cluster(client) is None
    takes_the_port(other, address)
    assert other_cluster(client).startswith("another Kafka answers there: cluster ")
