"""Background work on topics that must not disturb anything else: a thread that retries, a reader of new messages."""

import threading
from collections.abc import Callable

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError

from fraudstream.errors import FraudstreamError, Note
from fraudstream.kafka.client import client_options
from fraudstream.kafka.cluster import cluster_of, connected_cluster_id
from fraudstream.kafka.probe import quiet_kafka
from fraudstream.settings import Settings

EVERY_S, RETRY_S, RETRY_LIMIT_S, FINISH_S = 0.25, 1.0, 30.0, 15.0
ANSWER_MS = 5_000
# options of a KafkaProducer: a message is acknowledged or has failed within 20 s; then Kafka is looked for anew
BACKGROUND_PRODUCER = {
    "acks": "all",
    "max_block_ms": 5_000,
    "request_timeout_ms": 10_000,
    "delivery_timeout_ms": 20_000,
    "bootstrap_timeout_ms": 5_000,
}
ACKNOWLEDGED_S = 25.0


class Follower:
    """A thread that calls ``work`` again and again. A failure is said once, and ``work`` is tried again later.

    ``waiting``: why ``work`` fails now, or empty. ``last``: whether ``finish`` was called: this call of ``work`` may be
    the last one.
    """

    def __init__(self, name: str, work: Callable[[], object], disconnect: Callable[[], object]) -> None:
        """``disconnect`` is called after a failure, so that ``work`` looks for Kafka anew, and at the end."""
        self._work, self._disconnect = work, disconnect
        self.waiting, self._failing = "", "{}"
        self._note: Note = print
        self._last, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=name)

    def start(self, failing: str, note: Note) -> None:
        """Starts the thread. ``failing``: what ``note`` shows of a failure, with {} for the reason."""
        self._failing, self._note = failing, note
        self._thread.start()

    @property
    def last(self) -> bool:
        return self._last.is_set()

    def finish(self, wait_s: float = FINISH_S) -> bool:
        """Lets ``work`` succeed once more, for at most ``wait_s`` seconds, and ends the thread; whether it did."""
        self._last.set()
        self._thread.join(wait_s)
        self._stop.set()
        return not self._thread.is_alive() and not self.waiting

    def stop(self) -> None:
        """Ends the thread after this call of ``work``, without another one."""
        self._stop.set()

    def _run(self) -> None:
        retry_s = RETRY_S
        while not self._stop.is_set():
            last = self.last
            try:
                with quiet_kafka():
                    self._work()
            except Exception as error:  # noqa: BLE001 (whatever it is: the others continue, and it is said)
                self._failed(_reason(error))
                (self._stop if last else self._last).wait(retry_s)
                retry_s = RETRY_S if last else min(2 * retry_s, RETRY_LIMIT_S)
                continue
            retry_s, self.waiting = RETRY_S, ""
            if last:
                break
            self._last.wait(EVERY_S)
        self._disconnect()

    def _failed(self, reason: str) -> None:
        self._disconnect()
        if not self.waiting:
            self._note(self._failing.format(reason))
        self.waiting = reason


class NewMessages:
    """The messages of a topic from its beginning, each once. Not thread-safe. ``close`` makes it begin anew."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._consumer: KafkaConsumer | None = None

    def poll(self, timeout_ms: int = 200) -> list[ConsumerRecord]:
        """What has arrived since the last call. Raises KafkaError or BrokerError if our Kafka does not answer."""
        if self._consumer is None:
            self._consumer = self._open()
        return [record for records in self._consumer.poll(timeout_ms=timeout_ms).values() for record in records]

    def poll_all(self) -> list[ConsumerRecord]:
        """Everything up to the topic's present end. Raises as ``poll`` does."""
        found = self.poll()
        ends = self._consumer.end_offsets(list(self._consumer.assignment()), timeout_ms=ANSWER_MS)
        while any(self._consumer.position(place) < end for place, end in ends.items()):
            new = self.poll(ANSWER_MS)
            if not new:
                raise KafkaTimeoutError(f"{self._topic}: no answer within {ANSWER_MS / 1000:g} s")
            found += new
        return found

    def close(self) -> None:
        """Closes the connection; the next ``poll`` begins with the first message again."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _open(self) -> KafkaConsumer:
        client = client_options(self._settings)
        consumer = KafkaConsumer(**client, group_id=None, enable_auto_commit=False, bootstrap_timeout_ms=ANSWER_MS)
        try:
            cluster_of(client).require(connected_cluster_id(consumer))
            partitions = consumer.partitions_for_topic(self._topic)
            if not partitions:
                raise UnknownTopicOrPartitionError(self._topic)
            consumer.assign([TopicPartition(self._topic, number) for number in partitions])
            consumer.seek_to_beginning()
        except KafkaError:
            consumer.close()
            raise
        return consumer


def _reason(error: Exception) -> str:
    known = isinstance(error, FraudstreamError | KafkaError | OSError) and str(error)
    return str(error).rstrip(".") if known else f"{type(error).__name__}: {error}"
