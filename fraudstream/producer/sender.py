"""Send messages through kafka3 one at a time, each acknowledged before the next: none lost, none doubled. Source: 1.4.

Messages take turns among the topic's partitions: message n is in partition n % P at offset n // P. So the ends of the
partitions tell how many there are, and any number of partitions has one order: that of the numbers.
"""

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import kafka.errors
from kafka import KafkaConsumer, TopicPartition

import fraudstream.kafka.kafka3_compat  # noqa: F401
from fraudstream.errors import BrokerError, Note

# isort: split
import kafka3.errors
from kafka3 import KafkaProducer

# how long a message may wait for its acknowledgement, and how often the waiting is said
PATIENCE_S = 120
# A broker whose machine is gone says nothing any more: its connection is given up after this. It is longer than Kafka
# waits before it goes on without a silent follower (replica.lag.time.max.ms, 30 s): a message that has been taken is
# visible by then. And what was not sent when a connection is given up is thrown away (linger 0), not sent later.
REQUEST_TIMEOUT_MS = 45_000
SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
]
NOTE_EVERY_S = 10
ASK_AGAIN_S = 1

RESET_REMEDY = "To start afresh: python -m fraudstream reset, then run this notebook again."


def to_json(rows: list[dict[str, Any]]) -> bytes:
    """The message of a batch: UTF-8 JSON, one list of dictionaries. Source: 1.4 and 1.5."""
    return json.dumps(rows, ensure_ascii=False).encode("utf-8")


class RetryBudget:
    """Waiting that is said aloud, and that ends with a BrokerError after ``limit_s`` seconds."""

    def __init__(self, what: str, limit_s: float, note: Note) -> None:
        self._what, self._limit_s, self._note = what, limit_s, note
        self._since = time.monotonic()
        self._said: float | None = None

    def spend(self, reason: object) -> None:
        """Say (now and then) that we wait, and for what. Raises BrokerError when it has been too long."""
        waited = time.monotonic() - self._since
        if waited > self._limit_s:
            raise BrokerError(
                f"{self._what}: no answer for {waited:.0f} s ({reason}). Start the broker "
                "(python -m fraudstream broker start) or check KAFKA_BOOTSTRAP_SERVERS, then run this notebook again: "
                "it goes on where it stopped."
            )
        if self._said is None or waited - self._said >= NOTE_EVERY_S:
            self._said = waited
            self._note(f"Waiting for Kafka since {waited:.0f} s: {self._what} ({reason}).")


class Sender:
    """Sends through a KafkaProducer of kafka3 and waits for each acknowledgement.

    kafka3 cannot tell the broker that a message is a repetition, so its own retries could write a message twice.
    They are left off (retries=0): after a failure this class looks whether the message is in the topic, and only
    if it is not sends it again.
    """

    def __init__(
        self, producer: KafkaProducer, connection: dict[str, Any], patience_s: float = PATIENCE_S, note: Note = print
    ) -> None:
        self.producer, self.connection, self.patience_s, self.note = producer, connection, patience_s, note
        self.closed = False
        self._next: dict[str, int] = {}
        self._partitions: dict[str, int] = {}

    def send(self, topic: str, rows: list[dict[str, Any]], timestamp_ms: int) -> None:
        """Sends one batch as one message and returns when Kafka has acknowledged it; raises as ``confirm`` does."""
        value = to_json(rows)
        self.confirm(
            topic,
            value,
            partial(self.producer.send, topic, value, timestamp_ms=timestamp_ms),
        )

    def confirm(self, topic: str, value: bytes, send: Callable[..., Any]) -> None:
        """Sends the topic's next message by ``send(partition=…)``, producer.send, and returns when it is acknowledged.

        Exactly once: after a failure it looks whether ``value`` has arrived, and only if not calls ``send`` again.
        Raises BrokerError when Kafka does not answer for ``patience_s`` seconds or refuses the message, and when
        somebody else writes to the topic.
        """
        number = self._number(topic)
        partition, expected = self._place(topic, number)
        budget = RetryBudget(f"{topic}, message {number + 1}", self.patience_s, self.note)
        offset = None
        while offset is None:
            try:
                offset = _acknowledged(send(partition=partition), budget)
            except kafka3.errors.MessageSizeTooLargeError as error:
                raise BrokerError(
                    f"{topic}, message {number + 1}: {len(value):,} bytes are more than Kafka takes. Raise the "
                    "broker's message.max.bytes (or the topic's max.message.bytes) and run this notebook again."
                ) from error
            except kafka3.errors.KafkaError as error:
                if not (error.retriable or isinstance(error, kafka3.errors.KafkaTimeoutError)):
                    raise BrokerError(f"{topic}, message {number + 1}: Kafka refuses it ({error}).") from error
                budget.spend(error)
                if self._arrived(topic, number, value, budget):
                    offset = expected
        if offset != expected:
            raise BrokerError(f"{topic}: another program writes to it too. Stop that one. {RESET_REMEDY}")
        self._next[topic] = number + 1

    def message_count(self, topic: str) -> int:
        """How many messages the topic holds, after everything under way has arrived.

        Raises BrokerError when its partitions do not hold as many each as taking turns gives: it is no replay of this
        project's.
        """
        budget = RetryBudget(topic, self.patience_s, self.note)
        _until_answered(lambda: self.producer.flush(timeout=ASK_AGAIN_S), budget)
        ends = _until_answered(lambda: self._ends(topic), budget)
        number = sum(ends.values())
        self._partitions[topic] = len(ends)
        if any(end != number // len(ends) + (partition < number % len(ends)) for partition, end in ends.items()):
            raise BrokerError(
                f"{topic}: its partitions do not hold turns of one sender: another replay. {RESET_REMEDY}"
            )
        self._next[topic] = number
        return number

    def read_message(self, topic: str, number: int) -> bytes | None:
        """The value of message ``number`` (from 0) of the topic; None when it is gone or not there."""
        budget = RetryBudget(topic, self.patience_s, self.note)
        if topic not in self._partitions:
            self.message_count(topic)
        return _until_answered(lambda: self._read(topic, number), budget)

    def close(self) -> None:
        """Close the producer; everything sent has been acknowledged."""
        self.producer.close(timeout=ASK_AGAIN_S)
        self.closed = True

    def _place(self, topic: str, number: int) -> tuple[int, int]:
        """Partition and offset of message ``number`` (from 0)."""
        offset, partition = divmod(number, self._partitions[topic])
        return partition, offset

    def _number(self, topic: str) -> int:
        if self.closed:
            raise BrokerError("The producer is closed: run the cell that makes it again, then go on.")
        return self._next[topic] if topic in self._next else self.message_count(topic)

    def _arrived(self, topic: str, number: int, value: bytes, budget: RetryBudget) -> bool:
        """Whether a message whose acknowledgement failed is in the topic all the same."""
        time.sleep(ASK_AGAIN_S)
        ends = _until_answered(lambda: self._ends(topic), budget)
        partition, offset = self._place(topic, number)
        return ends[partition] > offset and _until_answered(lambda: self._read(topic, number), budget) == value

    @contextmanager
    def _consumer(self) -> Iterator[KafkaConsumer]:
        wait_ms = ASK_AGAIN_S * 1000
        consumer = KafkaConsumer(**self.connection, enable_auto_commit=False, bootstrap_timeout_ms=5 * wait_ms)
        with closing(consumer):
            yield consumer

    def _ends(self, topic: str) -> dict[int, int]:
        """Partition -> offset after its last message; never empty."""
        with self._consumer() as consumer:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            if not partitions:  # a broker that has just started does not know all topics yet
                raise kafka.errors.UnknownTopicOrPartitionError(topic)
            return {place.partition: end for place, end in consumer.end_offsets(partitions, timeout_ms=5000).items()}

    def _read(self, topic: str, number: int) -> bytes | None:
        partition, offset = self._place(topic, number)
        place = TopicPartition(topic, partition)
        with self._consumer() as consumer:
            consumer.assign([place])
            consumer.seek(place, offset)
            records = consumer.poll(timeout_ms=5000, max_records=1).get(place, [])
            return records[0].value if records and records[0].offset == offset else None


def _acknowledged(future: Any, budget: RetryBudget) -> int:
    """Wait, visibly, until the message has its offset. Raises what kafka3 gives as the reason when it failed."""
    while True:
        try:
            return future.get(timeout=2).offset
        except kafka3.errors.KafkaTimeoutError:
            if future.is_done:
                raise
            budget.spend("not acknowledged yet")


def _until_answered(ask: Callable[[], Any], budget: RetryBudget) -> Any:
    """Ask until Kafka answers; each failure that passes is waited out with ``budget``."""
    while True:
        try:
            return ask()
        except (kafka.errors.RetriableError, kafka3.errors.KafkaTimeoutError) as error:
            budget.spend(error)
            time.sleep(ASK_AGAIN_S)
