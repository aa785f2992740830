"""The topic fraud_alerts: each alert among the predictions as one JSON message, keyed by its transaction.

Delivery: at least once. The predictions are the outbox: a thread follows their committed micro-batches in order, and
stores its position only when Kafka has acknowledged all alerts of a micro-batch. After a crash it sends the last ones
again, with the same key and value, because everything in an alert is stored in the predictions.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from fraudstream.errors import BrokerError, Note
from fraudstream.kafka.client import client_options, ensure_topics, topic_id
from fraudstream.kafka.follower import ACKNOWLEDGED_S, BACKGROUND_PRODUCER, FINISH_S, Follower
from fraudstream.model.explain.reasons import Reason
from fraudstream.model.explain.words import in_words
from fraudstream.schemas import ALERT_TOPIC, PREDICTIONS
from fraudstream.settings import Settings
from fraudstream.storage.hadoop import AnyPath
from fraudstream.stream.checkpoint import last_committed_batch, query_id
from fraudstream.stream.explanations import EXPLANATION_COLUMNS, OWN_PREDICTION, stored_alerts
from fraudstream.stream.store import batch_files, batch_number, batches_between, read_batch

COLUMNS = ("transaction_id", "customer_id", "ts", "probability", "prediction", "predicted_at")


def alert_messages(file: AnyPath, alerted: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(transaction_id, message) of each alert in a micro-batch's file.

    ``alerted``: the transactions whose newest prediction in earlier micro-batches was an alert. One whose revised
    prediction is none any more gets a message with withdrawn = true.
    """
    rows = read_batch(file, COLUMNS, added=EXPLANATION_COLUMNS)
    for row, alert in zip(rows.to_pylist(), stored_alerts(rows), strict=True):
        if not alert and row["transaction_id"] not in alerted:
            continue
        yield (
            row["transaction_id"],
            {
                "transaction_id": row["transaction_id"],
                "customer_id": row["customer_id"],
                "withdrawn": not alert,
                "probability": row["probability"][1],
                "threshold": row["alert_threshold"] or OWN_PREDICTION,
                "prediction": row["prediction"],
                "reasons": [{**each, "words": in_words(Reason(**each))} for each in row["reasons"] or []],
                "base_value": row["base_value"],
                "model_version": row["model_version"],
                "ts": row["ts"],
                "predicted_at": row["predicted_at"].isoformat(),
            },
        )


class AlertPublisher:
    """Publishes the alerts from a thread of its own, one per kernel; the predictions never wait for it.

    If Kafka does not answer, or refuses the topic, it says so once, tries again every half minute at most, and
    continues where it was: the next run of Task 2 does, too.
    """

    _current: "AlertPublisher | None" = None

    def __init__(self, settings: Settings, note: Note = print) -> None:
        if AlertPublisher._current is not None:  # the cell that makes it was run again
            AlertPublisher._current.finish(0)
        AlertPublisher._current = self
        self._settings, self._note = settings, note
        self._position_file = position_file(settings)
        self._producer: KafkaProducer | None = None
        self._topic, self._identity = "", {}
        self._position, self._alerted, self.published = -1, set(), 0
        self._follower = Follower("alerts", self._publish_new, self._disconnect)
        self._follower.start("Alerts are not published: {}. Predictions continue; the alerts follow.", note)

    @property
    def status(self) -> str:
        """A few words: how many messages were published by this object, or why none are."""
        waiting = self._follower.waiting
        return f"not published: {waiting}" if waiting else f"{self.published:,} published to {ALERT_TOPIC}"

    def finish(self, wait_s: float = FINISH_S) -> None:
        """Publishes what is left, waits for that for at most ``wait_s`` seconds, and ends the thread."""
        if not self._follower.finish(wait_s) and wait_s:
            self._note("Alerts that are not published yet are published by the next run of Task 2.")

    def _publish_new(self) -> None:
        """Publishes the alerts of all committed micro-batches after the position."""
        if self._producer is None:
            self._connect()
        newest = last_committed_batch(self._settings.checkpoints / PREDICTIONS)
        if newest is None:
            return
        if not self._identity:
            self._go_to_position()
        for file in batches_between(self._settings.predictions, self._position, newest):
            self._publish(file)
            self._position = batch_number(file)
        self._position = max(newest, self._position)

    def _publish(self, file: AnyPath) -> None:
        """Sends the alerts of one micro-batch and waits until Kafka has acknowledged all of them."""
        messages = dict(alert_messages(file, self._alerted))
        if not messages:
            return
        values = {key: json.dumps(message, ensure_ascii=False).encode() for key, message in messages.items()}
        sent = [self._producer.send(ALERT_TOPIC, key=key.encode(), value=value) for key, value in values.items()]
        for each in sent:
            each.get(timeout=ACKNOWLEDGED_S)
        if topic_id(self._client, ALERT_TOPIC) != self._topic:  # raises BrokerError for another cluster, too
            raise BrokerError(f"topic {ALERT_TOPIC} was created anew")
        self.published += len(messages)
        _count(messages, self._alerted)
        self._save(batch_number(file))

    def _connect(self) -> None:
        """Opens a producer to our own cluster; a topic that was created anew gets all alerts again."""
        self._client = client_options(self._settings)
        ensure_topics(self._client, (ALERT_TOPIC,))
        topic = topic_id(self._client, ALERT_TOPIC)
        if topic != self._topic:
            self._topic, self._identity = topic, {}
        self._producer = KafkaProducer(**self._client, **BACKGROUND_PRODUCER)

    def _disconnect(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=1)
            self._producer = None

    def _go_to_position(self) -> None:
        """The position is valid for one topic and one query of the predictions: otherwise all alerts are published."""
        self._identity = {"topic": self._topic, "query": query_id(self._settings.checkpoints / PREDICTIONS)}
        self._position, self._alerted = _stored_position(self._position_file, self._identity), set()
        for file in sorted(batch_files(self._settings.predictions), key=batch_number):
            if batch_number(file) <= self._position:
                _count(dict(alert_messages(file, self._alerted)), self._alerted)

    def _save(self, position: int) -> None:
        unfinished = self._position_file.with_name(f".{self._position_file.name}.unfinished")
        unfinished.write_text(json.dumps({**self._identity, "batch_id": position}) + "\n")
        unfinished.replace(self._position_file)


def position_file(settings: Settings) -> Path:
    """Where the number of the last micro-batch whose alerts are in Kafka is stored, with the topic and the query."""
    return settings.output_dir / "alerts.json"


def _stored_position(file: Path, identity: dict[str, str | None]) -> int:
    """The position in ``file``; -1, before the first micro-batch, if there is none for ``identity``."""
    try:
        stored = json.loads(file.read_text())
        return int(stored["batch_id"]) if identity.items() <= stored.items() else -1
    except (FileNotFoundError, ValueError, KeyError, AttributeError):
        return -1


def _count(messages: dict[str, dict[str, Any]], alerted: set[str]) -> None:
    for key, message in messages.items():
        (alerted.discard if message["withdrawn"] else alerted.add)(key)
