"""Consumer lag: end offsets of the topics minus the offsets that committed micro-batches have read."""

import time
from collections.abc import Callable, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from fraudstream.kafka.cluster import AnotherClusterError, cluster_of, connected_cluster_id
from fraudstream.kafka.probe import quiet_kafka
from fraudstream.schemas import TOPICS

ANSWER_MS = 2_000

# topic -> partition -> offset
Offsets = Mapping[str, Mapping[int, int]]


class TopicEnds:
    """The end offsets of both topics, fetched through one consumer that is kept open. Not thread-safe."""

    def __init__(self, client: dict, clock: Callable[[], float] = time.time) -> None:
        self._client, self._clock = client, clock
        self._consumer: KafkaConsumer | None = None
        self.ends: dict[str, dict[int, int]] = {}
        self.changed_at = 0.0
        self.away_since: float | None = None
        self.another = ""

    def refresh(self) -> None:
        """Queries Kafka; if ours does not answer, ``ends`` is unchanged, ``away_since`` is the start of the outage, and
        ``another`` says which one answers instead.
        """
        try:
            with quiet_kafka():
                found = self._ask()
        except (KafkaError, OSError) as error:
            self.another = error.args[0] if isinstance(error, AnotherClusterError) else ""
            self.away_since = self.away_since or self._clock()
            self.close()
            return
        if self.ends and found != self.ends:
            self.changed_at = self._clock()
        self.ends, self.away_since, self.another = found, None, ""

    def messages(self, topic: str | None = None) -> int | None:
        """Total number of messages ever written to the topic, or to both; None before Kafka has answered."""
        if not self.ends:
            return None
        topics = [topic] if topic else self.ends
        return sum(sum(self.ends.get(each, {}).values()) for each in topics)

    def close(self) -> None:
        """Closes the consumer; the next ``refresh`` opens another."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _ask(self) -> dict[str, dict[int, int]]:
        if self._consumer is None:
            self._consumer = KafkaConsumer(
                **self._client, group_id=None, enable_auto_commit=False, bootstrap_timeout_ms=ANSWER_MS
            )
        cluster_of(self._client).require(connected_cluster_id(self._consumer))
        partitions = [
            TopicPartition(topic, number)
            for topic in TOPICS
            for number in self._consumer.partitions_for_topic(topic) or ()
        ]
        found: dict[str, dict[int, int]] = {}
        for place, end in self._consumer.end_offsets(partitions, timeout_ms=ANSWER_MS).items():
            found.setdefault(place.topic, {})[place.partition] = end
        return found


def consumer_lag(ends: Offsets, committed: Offsets) -> int:
    """Messages up to ``ends`` that no committed micro-batch has read: the sum over all partitions of both topics."""
    return sum(
        max(0, end - committed.get(topic, {}).get(partition, 0))
        for topic, partitions in ends.items()
        for partition, end in partitions.items()
    )
