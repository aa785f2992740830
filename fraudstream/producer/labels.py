"""Late labels: what a chargeback says about a transaction, published some time after it was sent (beyond the sheet).

The true labels are in new_fraud_transaction.csv. A thread of Task 1 reads the topic of transactions, like any consumer,
and publishes the labels of each message when their delay has passed: the replay itself does not know of it.
"""

import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord

from fraudstream.data.csv_files import truth
from fraudstream.data.readable import id_text, message_list, row_of, ts_of
from fraudstream.data.rules import clean
from fraudstream.errors import Note
from fraudstream.kafka.client import client_options, ensure_topics
from fraudstream.kafka.follower import ACKNOWLEDGED_S, BACKGROUND_PRODUCER, FINISH_S, Follower, NewMessages
from fraudstream.schemas import LABEL_TOPIC, TRANSACTION_TOPIC
from fraudstream.settings import Settings


class _Due(NamedTuple):
    """The labels of one message of transactions. ``key``: its partition and offset; ``due``: in Unix seconds."""

    key: str
    due: float
    labels: list[dict[str, Any]]


class LabelFeed:
    """Publishes the label of each transaction ``settings.label_delay_s`` after its ts; ``finish`` publishes the rest.

    One message per message of transactions, a JSON list of transaction_id, is_fraud (bool) and label_available_at (Unix
    seconds); its key is the partition and offset of the transactions, so a restart knows which labels are published.
    Without new_fraud_transaction.csv there are none. A Kafka that is away, or refuses the topic, stops nothing else.
    One per kernel: another one stops the one before, which publishes nothing early then.
    """

    _current: "LabelFeed | None" = None

    def __init__(self, settings: Settings, note: Note = print, clock: Callable[[], float] = time.time) -> None:
        if LabelFeed._current is not None:  # the cell that makes it was run again
            LabelFeed._current.stop()
        LabelFeed._current = self
        self._settings, self._clock, self._note = settings, clock, note
        self._frauds = truth(settings.data_dir)
        self._transactions = NewMessages(settings, TRANSACTION_TOPIC)
        self._producer: KafkaProducer | None = None
        self._due: deque[_Due] = deque()
        self._published: set[str] = set()
        self.labels = 0
        self._follower = Follower("labels", self._publish_due, self._disconnect)
        if self._frauds is None:
            note("No true labels (new_fraud_transaction.csv): none are published.")
        else:
            self._follower.start("Labels are not published: {}. Sending continues; the labels follow.", note)

    @property
    def waiting(self) -> int:
        """Messages of transactions whose labels are not due yet."""
        return len(self._due)

    def finish(self, wait_s: float = FINISH_S) -> None:
        """Publishes the labels that are not due yet, because the replay has ended, and ends the thread."""
        if self._frauds is None:
            return
        if self._follower.finish(wait_s):
            self._note(f"{self.labels:,} labels published to {LABEL_TOPIC}.")
        else:
            self._note("Labels that are not published yet are published when this notebook runs again.")

    def stop(self) -> None:
        """Ends the thread; labels that are not due yet are published by the next one."""
        self._follower.stop()

    def _publish_due(self) -> None:
        if self._producer is None:
            self._connect()
        records = self._transactions.poll_all() if self._follower.last else self._transactions.poll()
        for record in records:
            self._queue(record)
        while self._due and (self._follower.last or self._due[0].due <= self._clock()):
            due = self._due[0]
            value = json.dumps(due.labels, ensure_ascii=False).encode()
            self._producer.send(LABEL_TOPIC, key=due.key.encode(), value=value).get(timeout=ACKNOWLEDGED_S)
            self.labels += len(due.labels)
            self._due.popleft()

    def _queue(self, record: ConsumerRecord) -> None:
        """The labels of a message of transactions, unless they are published already."""
        key = f"{record.partition}:{record.offset}"
        rows = [row for row in map(row_of, message_list(record.value) or ()) if row is not None]
        sent = {clean(id_text(row.get("transaction_id")) or ""): ts_of(row) for row in rows}
        sent = {each: ts for each, ts in sent.items() if each and ts is not None}
        if key in self._published or not sent:
            return
        due = max(sent.values()) + self._settings.label_delay_s
        labels = [
            {"transaction_id": each, "is_fraud": each in self._frauds, "label_available_at": int(due)} for each in sent
        ]
        self._due.append(_Due(key, due, labels))

    def _connect(self) -> None:
        client = client_options(self._settings)
        ensure_topics(client, (LABEL_TOPIC,))
        published = NewMessages(self._settings, LABEL_TOPIC)
        try:
            records = published.poll_all()
        finally:
            published.close()
        self._published = {record.key.decode() for record in records if record.key}
        self.labels = sum(len(message_list(record.value) or ()) for record in records)
        self._producer = KafkaProducer(**client, **BACKGROUND_PRODUCER)

    def _disconnect(self) -> None:
        self._transactions.close()
        self._due.clear()
        if self._producer is not None:
            self._producer.close(timeout=1)
            self._producer = None
