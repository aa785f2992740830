"""The transactions topic, batch by batch, as it arrives. Source: 3.1."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import RetriableError

from fraudstream.data.readable import message_list, ts_of
from fraudstream.errors import DataError, Note
from fraudstream.kafka.cluster import AnotherClusterError, Cluster, connected_cluster_id
from fraudstream.settings import FIRST_MESSAGE_FACTOR

POLL_MS, BROWSER_S, NOTE_AFTER_S = 100, 0.05, 10


def first_message(consumer: KafkaConsumer) -> Any | None:
    """The first message of the topic, if one arrives within a second; ``arrivals`` reads it again."""
    if consumer.assignment():
        consumer.seek_to_beginning()
    messages = [message for several in consumer.poll(timeout_ms=1000, max_records=1).values() for message in several]
    return messages[0] if messages else None


def parse_message(message: Any) -> tuple[int, list[dict[str, Any]]]:
    """ts (Unix seconds) and rows of one message of the transactions topic.

    An empty batch has no row with a ts: the record's timestamp, in seconds, replaces it.
    The rule of ``data.readable``, but for whole messages: a batch with one element that is not a dictionary has no
    correct count. Raises DataError with topic, offset and reason.
    """
    where = f"{message.topic}, partition {message.partition}, offset {message.offset}"
    rows = message_list(message.value)
    if rows is None:
        raise DataError(f"{where}: not a JSON list in UTF-8. Left out of the chart.")
    if not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{where}: not a list of dictionaries. Left out of the chart.")
    ts = ts_of(rows[0]) if rows else message.timestamp // 1000
    if ts is None:
        raise DataError(f"{where}: ts is {rows[0].get('ts')!r}, not a whole number of seconds. Left out of the chart.")
    return ts, rows


async def arrivals(
    consumer: KafkaConsumer, idle_s: float | None, note: Note = print, cluster: Cluster | None = None
) -> AsyncIterator[list[Any]]:
    """Yields the messages that have arrived since the last poll, from the beginning of the topic; each is a batch.

    Ends after ``idle_s`` seconds without a message, or ten times as long if there has been none at all, as the producer
    may start later (None: only when interrupted). A message that is not a batch is noted in one line and left out.

    ``cluster``: that of ``client_options``, so that an embedded broker that was killed is started again. Messages of
    another cluster that has taken the port are always skipped.

    Asynchronous, because the browser needs the kernel's replies to draw the figure (first picture, zoom, pan), and the
    kernel sends them between two polls. In an ordinary loop the figure stays blank until the end.
    """
    if consumer.assignment():
        consumer.seek_to_beginning()
    limit_s, quiet_since, noted = math.inf if idle_s is None else FIRST_MESSAGE_FACTOR * idle_s, time.monotonic(), False
    with _Poller(consumer, cluster or Cluster(), note) as poller:
        while (quiet_s := time.monotonic() - quiet_since) < limit_s:
            await asyncio.sleep(BROWSER_S)
            if messages := poller.poll():
                limit_s, quiet_since, noted = math.inf if idle_s is None else idle_s, time.monotonic(), False
                yield _good(messages, note)
            elif quiet_s > NOTE_AFTER_S and not noted:
                noted = True
                note(f"No message for {quiet_s:.0f} s: still listening. Interrupt the cell to end.")
    note(f"No message for {quiet_s:.0f} s: the chart ends here.")


class _Poller:
    """Polls the consumer's own cluster: starts a killed embedded broker again, and follows it to another port."""

    def __init__(self, consumer: KafkaConsumer, cluster: Cluster, note: Note) -> None:
        self._consumer, self._given, self._cluster, self._note = consumer, consumer, cluster, note
        self._next: dict[TopicPartition, int] = {}
        self._elsewhere = False

    def __enter__(self) -> "_Poller":
        self._is_ours()  # of an external Kafka, the first id seen counts
        return self

    def __exit__(self, *exception: object) -> None:
        if self._consumer is not self._given:
            self._consumer.close()

    def poll(self) -> list[Any]:
        """The messages that have arrived, in order per partition; none of another cluster."""
        self._restart_broker()
        polled = {each: some for each, some in self._consumer.poll(timeout_ms=POLL_MS).items() if some}
        if polled and not self._is_ours():
            self._seek()  # polling continues at the same positions, whichever broker answers
            return []
        # another cluster may have reset the consumer's positions: skip what was already seen
        fresh = [message for each in polled for message in polled[each] if message.offset >= self._begin(each)]
        self._next |= {each: max(self._begin(each), some[-1].offset + 1) for each, some in polled.items()}
        return fresh

    def _begin(self, partition: TopicPartition) -> int:
        return self._next.get(partition, 0)

    def _is_ours(self) -> bool:
        """Whether the polled messages come from our cluster; if that is unknown just now, they are polled again."""
        try:
            self._cluster.require(connected_cluster_id(self._consumer))
        except RetriableError as error:
            if isinstance(error, AnotherClusterError) and not self._elsewhere:
                self._elsewhere = True
                self._note(f"Waiting for our Kafka: {error.args[0]}.")
            return False
        self._elsewhere = False
        return True

    def _restart_broker(self) -> None:
        address = self._cluster.restart_if_killed(self._note)
        if address is None or address in self._consumer.config["bootstrap_servers"]:
            return
        config = {name: value for name, value in self._consumer.config.items() if name in KafkaConsumer.DEFAULT_CONFIG}
        partitions = self._consumer.assignment()
        moved = KafkaConsumer(**{**config, "bootstrap_servers": [address], "api_version": None})
        moved.assign(partitions)
        self._consumer = moved
        self._seek()

    def _seek(self) -> None:
        for partition in self._consumer.assignment():
            self._consumer.seek(partition, self._begin(partition))


def _good(messages: list[Any], note: Note) -> list[Any]:
    good = []
    for message in messages:
        try:
            parse_message(message)
        except DataError as error:
            note(str(error))
        else:
            good.append(message)
    return good
