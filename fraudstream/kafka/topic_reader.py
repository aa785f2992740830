"""What a topic holds by now: its messages and their rows, in the order in which Task 1 has sent them."""

import heapq
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from fraudstream.data.rules import clean
from fraudstream.schemas import LATENESS_S, MAX_AHEAD_S

# partition, offset, position in the message's list
RowPosition = tuple[int, int, int]


@dataclass(frozen=True)
class Row:
    """One row of a message, and the newest ts of its topic before it (both in Unix seconds)."""

    values: dict
    ts: int
    newest_ts: int
    position: RowPosition

    @property
    def late(self) -> bool:
        return self.ts <= self.newest_ts - LATENESS_S

    @property
    def transaction_id(self) -> str:
        """The row's transaction_id, as Spark reads it; its place in Kafka where it has none."""
        key = self.values.get("transaction_id")
        key = clean(key if isinstance(key, str) else "" if key is None else json.dumps(key))
        return key or str(self.position)

    @property
    def session_id(self) -> str | None:
        """The row's session_id, as Spark reads it."""
        key = self.values.get("session_id")
        return clean(key) if isinstance(key, str) else key


def read_messages(client: dict, topic: str) -> Iterator[tuple[int, int, list]]:
    """partition, offset and list of rows of every message of ``topic`` that is a JSON list, in the order of sending.

    Task 1's messages take turns among the partitions: those of one offset were sent one after the other.
    """
    with closing(KafkaConsumer(**client, group_id=None, enable_auto_commit=False)) as consumer:
        partitions = sorted(consumer.partitions_for_topic(topic) or ())
    records = heapq.merge(
        *(_records(client, TopicPartition(topic, number)) for number in partitions),
        key=lambda record: (record.offset, record.partition),
    )
    for record in records:
        value = _list(record.value)
        if value is not None:
            yield record.partition, record.offset, value


def _records(client: dict, partition: TopicPartition) -> Iterator[ConsumerRecord]:
    """Every record that the partition holds by now."""
    consumer = KafkaConsumer(**client, group_id=None, enable_auto_commit=False, consumer_timeout_ms=10_000)
    with closing(consumer):
        consumer.assign([partition])
        consumer.seek_to_beginning()
        end = consumer.end_offsets([partition])[partition]
        while consumer.position(partition) < end:
            yield next(consumer)


def read_rows(client: dict, topic: str) -> Iterator[Row]:
    """Every row of ``topic`` that is a JSON object, in order."""
    newest = 0
    for partition, offset, elements in read_messages(client, topic):
        elements = [_object(element) for element in elements]
        for position, values in enumerate(elements):
            if isinstance(values, dict):
                ts = values["ts"] if isinstance(values.get("ts"), int) else newest
                yield Row(values, ts, newest, (partition, offset, position))
        newest = max([newest, *(row["ts"] for row in elements if isinstance(row, dict) and _plausible(row))])


def _list(value: bytes | None) -> list | None:
    try:
        parsed = json.loads((value or b"null").decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, list) else None


def _object(element: object) -> object:
    """An object that stands in the list as a text of JSON is read as Spark reads it."""
    try:
        return json.loads(element) if isinstance(element, str) else element
    except (ValueError, RecursionError):
        return element


def _plausible(row: dict) -> bool:
    """Whether the row's ts could move the watermark: a whole number that is not far in the future."""
    return isinstance(row.get("ts"), int) and row["ts"] < datetime.now().timestamp() + MAX_AHEAD_S
