"""Sending to a real Kafka: no batch is lost or doubled, the order is kept, and a replay resumes where it stopped."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from stream_files import at, event, records, transaction, write_stream

from fraudstream.errors import BrokerError
from fraudstream.kafka import broker as embedded
from fraudstream.kafka.broker import process
from fraudstream.kafka.client import recreate_topics
from fraudstream.producer.replay import BrowsingCursor, TransactionCursor
from fraudstream.producer.resume import resume
from fraudstream.producer.sender import REQUEST_TIMEOUT_MS, SOCKET_OPTIONS, Sender
from fraudstream.producer.ticker import Ticker
from fraudstream.schemas import BROWSING_TOPIC, TRANSACTION_TOPIC

# isort: split
import kafka3.errors
from kafka3 import KafkaProducer

TS = 1_745_818_012
OPTIONS = {
    "acks": "all",
    "max_in_flight_requests_per_connection": 1,
    "max_block_ms": 5000,
    "request_timeout_ms": REQUEST_TIMEOUT_MS,
    "socket_options": SOCKET_OPTIONS,
    "max_request_size": 16 << 20,
}


@pytest.fixture
def connect():
    """(address, kind of producer, retry timeout, note) -> a Sender; all are closed at the end of the test."""
    opened = []

    def connect(address, kind=KafkaProducer, retry_timeout_s=60, note=print):
        producer = kind(bootstrap_servers=address, **OPTIONS)
        opened.append(Sender(producer, {"bootstrap_servers": address}, retry_timeout_s, note))
        return opened[-1]

    yield connect
    for sender in opened:
        sender.close()


def held(address, topic):
    return [json.loads(record.value) for record in records(address, topic)]


@pytest.fixture
def topics(broker):
    """The address of a broker whose two topics are empty."""
    recreate_topics({"bootstrap_servers": [broker]})
    return broker


@pytest.fixture
def files(tmp_path):
    """Three batches (200, 200 and 50 rows); the second has no transaction."""
    bought = [transaction(0, 60), transaction(1, 1194, "Fail"), transaction(2, 2500)]
    return write_stream(tmp_path / "data", events=450, transactions=bought)


def cursors(folder):
    browsing = BrowsingCursor(folder / "new_browsing_behaviour.csv")
    return browsing, TransactionCursor(folder / "new_transaction.csv", browsing.first_time)


def replay(sender, folder, batches=None, stop_after=None, ts=TS):
    """The notebook's loop, without its beat: one second of ts a batch. ``stop_after`` counts messages."""
    browsing, transactions = cursors(folder)
    sent = resume(sender, browsing, transactions, batches)
    messages = 0
    while sent.batches < (batches or 99) and (rows := browsing.next_rows(200)):
        bought = transactions.up_to(rows[-1]["event_time"])
        stamp = ts + sent.batches
        for topic, batch in ((BROWSING_TOPIC, rows), (TRANSACTION_TOPIC, bought)):
            if messages == stop_after:
                return sent
            sender.send(topic, [{**row, "ts": stamp} for row in batch], stamp * 1000)
            messages += 1
        sent.add(rows[0]["event_time"], rows[-1]["event_time"], rows, bought, stamp)
    return sent


def test_messages_to_the_letter(connect, topics, files):
    replay(connect(topics), files, batches=1)
    (browsing,), (transactions,) = records(topics, BROWSING_TOPIC), records(topics, TRANSACTION_TOPIC)
    assert browsing.value.decode().startswith(
        '[{"session_id": "523091cd-bb1c-4dd8-b7c2-000000000000", "event_type": "HP", '
        '"event_time": "2024-01-01 00:20:54.302", "traffic_source": "MOBILE", "device_type": "Android", '
        '"customer_id": "68053", "ts": 1745818012}, {"session_id": '
    )
    assert len(json.loads(browsing.value)) == 200
    bought = [transaction(0, 60), transaction(1, 1194, "Fail")]
    assert json.loads(transactions.value) == [{**row, "ts": TS} for row in bought]
    assert list(json.loads(transactions.value)[0])[-1] == "ts"
    assert [browsing.timestamp, transactions.timestamp] == [TS * 1000] * 2


def test_batch_without_transactions_is_an_empty_list(connect, topics, files):
    replay(connect(topics), files)
    assert records(topics, TRANSACTION_TOPIC)[1].value == b"[]"
    assert [len(batch) for batch in held(topics, BROWSING_TOPIC)] == [200, 200, 50]


def test_letters_beyond_ascii_arrive_as_utf_8(connect, topics):
    connect(topics).send(BROWSING_TOPIC, [{"session_id": "Jalan Pâté 鞄"}], TS * 1000)
    assert records(topics, BROWSING_TOPIC)[0].value.decode("utf-8") == '[{"session_id": "Jalan Pâté 鞄"}]'


@pytest.mark.parametrize("stop_after", range(7))
def test_started_again_it_sends_the_rest_and_nothing_twice(connect, topics, files, stop_after):
    replay(connect(topics), files, stop_after=stop_after)
    sent = replay(connect(topics), files)
    stamped = [(number // 200, {**event(number), "ts": TS + number // 200}) for number in range(450)]
    assert held(topics, BROWSING_TOPIC) == [[row for batch, row in stamped if batch == wanted] for wanted in range(3)]
    assert [[row["created_at"] for row in batch] for batch in held(topics, TRANSACTION_TOPIC)] == [
        [at(60), at(1194)],
        [],
        [at(2500)],
    ]
    assert str(sent) == "3 batches: 450 browsing rows and 3 transactions"


def test_half_batch_is_completed_with_the_ts_of_its_browsing_rows(connect, topics, files):
    replay(connect(topics), files, stop_after=1)
    notes = []
    replay(connect(topics, note=notes.append), files, batches=1, ts=TS + 77)
    assert [row["ts"] for row in held(topics, TRANSACTION_TOPIC)[0]] == [TS, TS]
    assert records(topics, TRANSACTION_TOPIC)[0].timestamp == TS * 1000
    assert notes[0] == "Batch 1 was half sent; its transactions have now been sent."


def test_everything_sent_already_is_said_with_the_command_to_replay_again(connect, topics, files):
    replay(connect(topics), files)
    notes = []
    replay(connect(topics, note=notes.append), files)
    assert notes == [
        "The topics already hold 3 batches: 450 browsing rows and 3 transactions. That is everything; nothing is sent "
        "twice. To start over: python -m fraudstream reset, then run this notebook again."
    ]


@pytest.mark.parametrize("topic", [BROWSING_TOPIC, TRANSACTION_TOPIC])
def test_topics_that_hold_another_replay_are_refused(connect, topics, files, tmp_path, topic):
    replay(connect(topics), files, batches=1)
    other = write_stream(tmp_path / "other", 450 if topic == TRANSACTION_TOPIC else 150, [transaction(9, 60)])
    with pytest.raises(BrokerError) as caught:
        replay(connect(topics), other)
    assert str(caught.value) == (
        f"{topic} holds another replay: its message 1 is not batch 1 of these files. "
        "To start over: python -m fraudstream reset, then run this notebook again."
    )


def test_topics_out_of_step_are_refused(connect, topics, files):
    connect(topics).send(TRANSACTION_TOPIC, [], TS * 1000)
    with pytest.raises(BrokerError, match=r"^The topics hold another replay"):
        replay(connect(topics), files)


def test_another_writer_is_noticed(connect, topics):
    first, second = connect(topics), connect(topics)
    first.send(BROWSING_TOPIC, [], TS * 1000)
    second.send(BROWSING_TOPIC, [], TS * 1000)
    with pytest.raises(BrokerError, match="browsing_behaviour: another program also writes to it"):
        first.send(BROWSING_TOPIC, [], TS * 1000)


class LosesAnAnswer(KafkaProducer):
    """A producer whose third message arrives, but whose acknowledgement is lost with the connection."""

    sends = 0

    def send(self, *args, **kwargs):
        future = super().send(*args, **kwargs)
        self.sends += 1
        if self.sends == 3:
            future.get(timeout=10)
            raise kafka3.errors.KafkaConnectionError("cut on the way back")
        return future


def test_a_message_whose_acknowledgement_was_lost_is_not_sent_twice(connect, topics):
    sender = connect(topics, LosesAnAnswer)
    for number in range(5):
        sender.send(BROWSING_TOPIC, [{"number": number}], TS * 1000)
    assert held(topics, BROWSING_TOPIC) == [[{"number": number}] for number in range(5)]


def test_message_over_the_broker_s_limit_is_an_error_that_names_the_setting(connect, topics):
    with pytest.raises(
        BrokerError,
        match=r"^transactions, message 1: 2,000,011 bytes, which exceeds Kafka's size limit. .* message.max.bytes",
    ):
        connect(topics).send(TRANSACTION_TOPIC, [{"a": "x" * 2_000_000}], TS * 1000)


def test_a_clock_that_steps_by_two_hours_and_back_stops_nothing_and_ts_never_goes_back(connect, topics):
    """The record's time is ts: two hours ahead of the broker's clock after the second step."""
    steps, notes = iter([0, 7200, 7200, -60, 0]), []
    now = time.time()
    moments = iter([now, *(now + number + step for number, step in enumerate(steps) for _ in range(2))])
    ticker = Ticker(0.001, note=notes.append, now=lambda: next(moments))
    sender = connect(topics)
    for number in range(5):
        ts = ticker.tick(int(next(moments)))
        sender.send(BROWSING_TOPIC, [{"number": number, "ts": ts}], ts * 1000)
    rows = [row for message in held(topics, BROWSING_TOPIC) for row in message]
    assert [row["number"] for row in rows] == [0, 1, 2, 3, 4]
    stamps = [row["ts"] for row in rows]
    assert stamps == sorted(stamps) and stamps[-1] - int(now) >= 7200
    assert sum("clock was set" in note for note in notes) >= 2


def test_a_closed_sender_says_so(connect, topics):
    sender = connect(topics)
    sender.close()
    with pytest.raises(BrokerError, match=r"^The producer is closed\. Run the cell that creates it again"):
        sender.send(BROWSING_TOPIC, [], TS * 1000)


@pytest.fixture
def own_broker(settings):
    """A broker that a test may kill: (its settings, its address)."""
    address = embedded.start(settings)
    try:
        recreate_topics({"bootstrap_servers": [address]})
        yield settings, address
    finally:
        embedded.stop(settings)


def kill(settings):
    running = process.find(settings.broker_dir)
    os.kill(running.pid, signal.SIGKILL)
    running.wait(10)


def test_broker_killed_and_started_again_loses_nothing_and_keeps_the_order(connect, own_broker):
    settings, address = own_broker
    notes, acknowledged = [], []
    sender = connect(address, note=notes.append)

    def send_all():
        for number in range(400):
            sender.send(BROWSING_TOPIC, [{"number": number}], TS * 1000)
            acknowledged.append(number)

    with ThreadPoolExecutor() as pool:
        sending = pool.submit(send_all)
        while len(acknowledged) < 20:
            time.sleep(0.001)
        kill(settings)
        assert len(acknowledged) < 350, "the kill must hit a sender that has much left to send"
        embedded.start(settings)
        sending.result(60)
    assert held(address, BROWSING_TOPIC) == [[{"number": number}] for number in range(400)]
    assert notes[0].startswith("Waiting for Kafka for ")


def test_gives_up_after_a_set_time_with_what_to_do(connect, own_broker):
    settings, address = own_broker
    sender = connect(address, retry_timeout_s=4)
    sender.send(BROWSING_TOPIC, [], TS * 1000)
    kill(settings)
    with pytest.raises(BrokerError, match=r"^browsing_behaviour, message 2: no answer for \d+ s .* broker start"):
        sender.send(BROWSING_TOPIC, [], TS * 1000)
