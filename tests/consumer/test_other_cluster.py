"""Two real brokers, one port: Task 3 leaves out what the other one holds, and follows its own to another port."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock
from kafka import KafkaConsumer
from messages import sender as other_sender
from two_clusters import TS_MS, batch, kill, takes_the_port

from fraudstream.consumer.batches import arrivals, parse_message
from fraudstream.kafka import broker as embedded
from fraudstream.kafka.client import client_options
from fraudstream.kafka.probe import wait_for
from fraudstream.schemas import TRANSACTION_TOPIC

pytestmark = pytest.mark.faults


def listened(client, cluster=None, meanwhile=lambda: None):
    """Each batch's ts (from 0) that Task 3 sees before, during and after ``meanwhile``, and its notes."""
    consumer = KafkaConsumer(
        TRANSACTION_TOPIC,
        **client,
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        reconnect_backoff_max_ms=1000,
    )
    seen, notes, over = [], [], threading.Event()

    async def listen():
        async for messages in arrivals(consumer, None, notes.append, cluster):
            seen.extend(parse_message(message)[0] - TS_MS // 1000 for message in messages)

    async def listen_until_over():
        listening = asyncio.create_task(listen())
        while not over.is_set():
            await asyncio.sleep(0.1)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    with ThreadPoolExecutor() as pool:
        listening = pool.submit(asyncio.run, listen_until_over())
        assert wait_for(lambda: len(seen) >= 3, 30, lambda waited: None)
        meanwhile()
        wait_for(lambda: len(seen) >= 5, 30, lambda waited: None)
        time.sleep(2)  # nothing else follows
        over.set()
        listening.result(30)
    consumer.close()
    return seen, notes


def test_a_consumer_leaves_out_what_another_cluster_on_its_port_holds(ours, other):
    address = embedded.status(ours).address
    with other_sender(address) as send:
        send(TRANSACTION_TOPIC, *map(batch, range(3)))

    def port_changes_hands_and_comes_back():
        kill(ours)
        takes_the_port(other, address)
        with other_sender(address) as send:
            send(TRANSACTION_TOPIC, *map(batch, range(100, 110)))
        time.sleep(4)
        embedded.stop(other)
        embedded.start(ours)
        with other_sender(address) as send:
            send(TRANSACTION_TOPIC, *map(batch, range(3, 5)))

    seen, notes = listened({"bootstrap_servers": [address]}, meanwhile=port_changes_hands_and_comes_back)
    assert seen == [0, 1, 2, 3, 4]
    assert any(note.startswith("Waiting for our Kafka: another Kafka answers there: cluster ") for note in notes)


def test_a_consumer_starts_its_killed_broker_again_and_follows_it_to_another_port(ours, other):
    before, client = embedded.status(ours).address, client_options(ours)
    with other_sender(before) as send:
        send(TRANSACTION_TOPIC, *map(batch, range(3)))

    def port_changes_hands():
        with FileLock(ours.broker_dir / "start.lock"):  # the restart waits until the port is gone
            kill(ours)
            takes_the_port(other, before)
        while not embedded.status(ours).running:
            time.sleep(0.1)
        with other_sender(embedded.start(ours)) as send:
            send(TRANSACTION_TOPIC, *map(batch, range(3, 5)))

    seen, notes = listened(client, client.cluster, port_changes_hands)
    assert seen == [0, 1, 2, 3, 4]
    assert notes.count("The embedded broker was killed: starting it again.") == 1
