"""The current messages of a topic, and their rows, in the order in which Task 1 sent them."""

import heapq
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from fraudstream.data.readable import id_text, message_list, row_of, ts_of
from fraudstream.data.rules import clean
from fraudstream.errors import BrokerError
from fraudstream.kafka.cluster import cluster_of, connected_cluster_id
from fraudstream.schemas import MAX_FUTURE_S, WATERMARK_DELAY_S

NO_ANSWER_S = 10

# partition, offset, position in the message's list
RowPosition = tuple[int, int, int]


@dataclass(frozen=True)
class TopicRow:
    """One row of a message, and the newest ts of its topic before it (both in Unix seconds)."""

    values: dict
    ts: int
    newest_ts: int
    position: RowPosition

    @property
    def late(self) -> bool:
        return self.ts <= self.newest_ts - WATERMARK_DELAY_S

    @property
    def transaction_id(self) -> str:
        """The row's transaction_id, as the stream reads it; its position in Kafka if it has none that can be read."""
        return clean(id_text(self.values.get("transaction_id")) or "") or str(self.position)

    @property
    def session_id(self) -> str | None:
        """The row's session_id, as the stream reads it; None if it cannot be read."""
        return clean(id_text(self.values.get("session_id")) or "") or None


def read_messages(client: dict, topic: str) -> Iterator[tuple[int, int, list]]:
    """partition, offset and list of rows of every message of ``topic`` that is a JSON list, in the order of sending.

    ``client``: the result of ``client_options``. Task 1 distributes messages round-robin: those with the same offset
    were sent one after the other. Raises BrokerError if Kafka does not answer, or if another cluster does.
    """
    for record, elements in _lists(client, topic):
        yield record.partition, record.offset, elements


def _lists(client: dict, topic: str) -> Iterator[tuple[ConsumerRecord, list]]:
    with _consumer(client) as consumer:
        partitions = sorted(consumer.partitions_for_topic(topic) or ())
    records = heapq.merge(
        *(_records(client, TopicPartition(topic, number)) for number in partitions),
        key=lambda record: (record.offset, record.partition),
    )
    for record in records:
        elements = message_list(record.value)
        if elements is not None:
            yield record, elements


def _records(client: dict, partition: TopicPartition) -> Iterator[ConsumerRecord]:
    """All current records of the partition."""
    with _consumer(client) as consumer:
        consumer.assign([partition])
        consumer.seek_to_beginning()
        end = consumer.end_offsets([partition])[partition]
        while consumer.position(partition) < end:
            record = next(consumer, None)
            if record is None:
                raise BrokerError(f"{partition.topic}: no answer from Kafka for {NO_ANSWER_S} s. Start the broker.")
            yield record


@contextmanager
def _consumer(client: dict) -> Iterator[KafkaConsumer]:
    """A consumer of our own cluster that reads from the beginning; its errors become BrokerError with the address."""
    try:
        options = {"group_id": None, "enable_auto_commit": False, "consumer_timeout_ms": NO_ANSWER_S * 1000}
        with closing(KafkaConsumer(**client, **options)) as consumer:
            cluster_of(client).require(connected_cluster_id(consumer))
            yield consumer
    except KafkaError as error:
        raise BrokerError(f"Kafka at {','.join(client['bootstrap_servers'])}: {error}") from error


def read_rows(client: dict, topic: str, rejected: Collection[RowPosition] = frozenset()) -> Iterator[TopicRow]:
    """Every row of ``topic`` that is a JSON object, in order. Raises BrokerError as ``read_messages`` does.

    ``rejected``: the positions of the quarantined rows. They do not move the watermark, so nothing is late after them.
    """
    newest = 0
    for record, elements in _lists(client, topic):
        # by the record's own time, as the stream decides: by today's clock, a ts would become plausible later
        limit = record.timestamp // 1000 + MAX_FUTURE_S
        times = []
        for number, element in enumerate(elements):
            values, position = row_of(element), (record.partition, record.offset, number)
            if values is None:
                continue
            ts = ts_of(values)
            if ts is not None and ts <= limit and position not in rejected:
                times.append(ts)
            yield TopicRow(values, newest if ts is None else ts, newest, position)
        newest = max([newest, *times])
