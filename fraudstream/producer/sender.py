"""Send messages through kafka3 one at a time, each acknowledged before the next. Source: 1.4.

Each is in the topic exactly once and in order, as long as this is the topic's only producer.

Messages are distributed round-robin: message n is in partition n % P at offset n // P. So the end offsets of the
partitions give the number of messages, and the order is defined for any number of partitions.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import kafka.errors
from kafka import KafkaConsumer, TopicPartition

import fraudstream.kafka.kafka3_compat  # noqa: F401
from fraudstream.errors import BrokerError, Note
from fraudstream.kafka.cluster import cluster_of, connected_cluster_id
from fraudstream.producer.guard import REQUEST_TIMEOUT_MS, SOCKET_OPTIONS, guard_cluster, require_options
from fraudstream.producer.retries import RetryBudget

# isort: split
import kafka3.errors
from kafka3 import KafkaProducer

__all__ = ["REQUEST_TIMEOUT_MS", "SOCKET_OPTIONS", "RetryBudget", "Sender", "to_json"]

# how long a message may wait for its acknowledgement
RETRY_TIMEOUT_S = 120
ASK_AGAIN_S = 1


RESET_REMEDY = "To start over: python -m fraudstream reset, then run this notebook again."


def to_json(rows: list[dict[str, Any]]) -> bytes:
    """Serializes a batch: UTF-8 JSON, one list of dictionaries. Source: 1.4 and 1.5."""
    return json.dumps(rows, ensure_ascii=False).encode("utf-8")


class Sender:
    """Sends through a KafkaProducer of kafka3 and waits for each acknowledgement; reads back before it retries.

    kafka3 has no idempotent producer, so its own retries could write a message twice. They are off (retries=0):
    after a failure, this class checks whether the message is in the topic, and sends it again only if it is not. While
    Kafka is unavailable, it waits and prints notes. It restarts a killed embedded broker, and never writes to another
    cluster that has taken the port.
    """

    def __init__(
        self,
        producer: KafkaProducer,
        connection: dict[str, Any],
        retry_timeout_s: float = RETRY_TIMEOUT_S,
        note: Note = print,
    ) -> None:
        """``connection``: the result of ``client_options``.

        Raises BrokerError for producer options with which messages could be lost, duplicated or reordered.
        """
        require_options(producer.config)
        self.producer, self.connection, self.retry_timeout_s, self.note = producer, connection, retry_timeout_s, note
        self.cluster = cluster_of(connection)
        self.closed, self._moves = False, 0
        self._next: dict[str, int] = {}
        self._partitions: dict[str, int] = {}
        guard_cluster(producer, self.cluster)

    def send(self, topic: str, rows: list[dict[str, Any]], timestamp_ms: int) -> None:
        """Sends one batch as one message and returns when Kafka has acknowledged it; raises as ``confirm`` does."""
        value = to_json(rows)
        self.confirm(topic, value, partial(self.producer.send, topic, value, timestamp_ms=timestamp_ms))

    def confirm(self, topic: str, value: bytes, send: Callable[..., Any]) -> None:
        """Sends the topic's next message by ``send(partition=…)``, producer.send, and returns when it is acknowledged.

        Exactly once: after a failure it looks whether ``value`` has arrived, and calls ``send`` again only if it has
        not. Raises BrokerError if Kafka does not answer for ``retry_timeout_s`` seconds or refuses the message, or if
        another program writes to the topic.
        """
        number = self._number(topic)
        partition, expected = self._place(topic, number)
        budget = self._budget(f"{topic}, message {number + 1}")
        offset = None
        while offset is None:
            moves = self._moves
            try:
                offset = _acknowledged(send(partition=partition), budget)
            except kafka3.errors.KafkaError as error:
                if moves == self._moves:
                    _require_retriable(error, f"{topic}, message {number + 1}", value)
                budget.spend(error)
                if self._arrived(topic, number, value, budget):
                    offset = expected
        if offset != expected:
            raise BrokerError(f"{topic}: another program also writes to it. Stop that program. {RESET_REMEDY}")
        self._next[topic] = number + 1

    def message_count(self, topic: str) -> int:
        """The number of messages in the topic, once everything under way has arrived.

        Raises BrokerError if the messages are not spread over its partitions in turns: the topic holds another replay.
        """
        budget = self._budget(topic)
        _until_answered(lambda: self.producer.flush(timeout=ASK_AGAIN_S), budget)
        ends = _until_answered(lambda: self._ends(topic), budget)
        number = sum(ends.values())
        self._partitions[topic] = len(ends)
        if any(end != number // len(ends) + (partition < number % len(ends)) for partition, end in ends.items()):
            raise BrokerError(f"{topic} holds another replay: its partitions were not filled in turns. {RESET_REMEDY}")
        self._next[topic] = number
        return number

    def read_message(self, topic: str, number: int) -> bytes | None:
        """The value of message ``number`` (from 0) of the topic; None if there is none, or none any more."""
        budget = self._budget(topic)
        if topic not in self._partitions:
            self.message_count(topic)
        return _until_answered(lambda: self._read(topic, number), budget)

    def close(self) -> None:
        """Close the producer; everything sent has been acknowledged."""
        self.producer.close(timeout=ASK_AGAIN_S)
        self.closed = True

    def _budget(self, what: str) -> RetryBudget:
        return RetryBudget(what, self.retry_timeout_s, self.note, self._restart_broker)

    def _restart_broker(self) -> None:
        """Starts a killed embedded broker again, and follows it to another port if its own is taken."""
        address = self.cluster.restart_if_killed(self.note)
        if address is None or address in self.connection["bootstrap_servers"]:
            return
        producer, self._moves = self.producer, self._moves + 1
        self.connection["bootstrap_servers"] = [address]
        options = {name: value for name, value in producer.config.items() if name in KafkaProducer.DEFAULT_CONFIG}
        producer.close(timeout=0)  # what it has not sent fails, and is sent again
        # in place: the notebook has this object, too
        producer.__init__(**{**options, "bootstrap_servers": [address], "api_version": None})
        guard_cluster(producer, self.cluster)

    def _place(self, topic: str, number: int) -> tuple[int, int]:
        """Partition and offset of message ``number`` (from 0)."""
        offset, partition = divmod(number, self._partitions[topic])
        return partition, offset

    def _number(self, topic: str) -> int:
        if self.closed:
            raise BrokerError("The producer is closed. Run the cell that creates it again, then continue.")
        return self._next[topic] if topic in self._next else self.message_count(topic)

    def _arrived(self, topic: str, number: int, value: bytes, budget: RetryBudget) -> bool:
        """Whether a message that was not acknowledged is in the topic nevertheless."""
        time.sleep(ASK_AGAIN_S)
        ends = _until_answered(lambda: self._ends(topic), budget)
        partition, offset = self._place(topic, number)
        return ends[partition] > offset and _until_answered(lambda: self._read(topic, number), budget) == value

    @contextmanager
    def _consumer(self) -> Iterator[KafkaConsumer]:
        wait_ms = ASK_AGAIN_S * 1000
        consumer = KafkaConsumer(**self.connection, enable_auto_commit=False, bootstrap_timeout_ms=5 * wait_ms)
        with closing(consumer):
            self.cluster.require(connected_cluster_id(consumer))
            yield consumer
            self.cluster.require(connected_cluster_id(consumer))

    def _ends(self, topic: str) -> dict[int, int]:
        """Partition -> offset after its last message; never empty."""
        with self._consumer() as consumer:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            if not partitions:  # a broker that has just started does not know its topics yet
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
    """The offset of the message, once Kafka has acknowledged it; waits visibly. Raises kafka3's reason if it failed."""
    while True:
        try:
            return future.get(timeout=2).offset
        except kafka3.errors.KafkaTimeoutError:
            if future.is_done:
                raise
            budget.spend("not acknowledged yet")


def _require_retriable(error: kafka3.errors.KafkaError, what: str, value: bytes) -> None:
    """Raises BrokerError with the remedy for an error that is not retriable."""
    if isinstance(error, kafka3.errors.MessageSizeTooLargeError):
        raise BrokerError(
            f"{what}: {len(value):,} bytes, which exceeds Kafka's size limit. Raise the broker's message.max.bytes (or "
            "the topic's max.message.bytes) and run this notebook again."
        ) from error
    if isinstance(error, kafka3.errors.UnknownError):
        raise BrokerError(
            f"{what}: Kafka cannot write it ({type(error).__name__}), usually because its disk is full. Free some "
            "space, start the broker again (python -m fraudstream broker start) and run this notebook again: it "
            "continues where it stopped."
        ) from error
    if not (error.retriable or isinstance(error, kafka3.errors.KafkaTimeoutError)):
        raise BrokerError(f"{what}: Kafka refuses it ({error}).") from error


def _until_answered(ask: Callable[[], Any], budget: RetryBudget) -> Any:
    """Ask until Kafka answers; ``budget`` bounds the retries."""
    while True:
        try:
            return ask()
        except (kafka.errors.RetriableError, kafka3.errors.KafkaTimeoutError) as error:
            budget.spend(error)
            time.sleep(ASK_AGAIN_S)
