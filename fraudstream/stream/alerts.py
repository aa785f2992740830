"""The topic fraud_alerts: each alert among the predictions as one JSON message, keyed by its transaction.

Delivery: at least once. The predictions are the outbox: a thread follows their committed micro-batches in order, and
stores its position only when Kafka has acknowledged all alerts of a micro-batch. After a crash it sends the last ones
again, with the same key and value, because everything in an alert is stored in the predictions.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from fraudstream.errors import BrokerError, FraudstreamError, Note
from fraudstream.kafka.client import client_options, ensure_topics, other_cluster, topic_id
from fraudstream.kafka.probe import quiet_kafka
from fraudstream.model.explain.reasons import Reason
from fraudstream.model.explain.words import in_words
from fraudstream.schemas import ALERT_TOPIC, PREDICTIONS
from fraudstream.settings import Settings
from fraudstream.storage.hadoop import AnyPath
from fraudstream.stream.checkpoint import last_committed_batch, query_id
from fraudstream.stream.explanations import EXPLANATION_COLUMNS, OWN_PREDICTION, stored_alerts
from fraudstream.stream.store import batch_file, batch_files, batch_number, read_batch

EVERY_S, RETRY_S, RETRY_LIMIT_S, FINISH_S, ACKNOWLEDGED_S = 0.25, 1.0, 30.0, 15.0, 25.0
# from this many micro-batches, the folder is listed instead of looking each of them up
LISTED_FROM = 20
COLUMNS = ("transaction_id", "customer_id", "ts", "probability", "prediction", "predicted_at")
# a message is acknowledged or has failed within 20 s; then the cluster is looked for anew
PRODUCER = {
    "acks": "all",
    "max_block_ms": 5_000,
    "request_timeout_ms": 10_000,
    "delivery_timeout_ms": 20_000,
    "bootstrap_timeout_ms": 5_000,
}


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
        self._position, self._alerted = -1, set()
        self._waiting, self.published = "", 0
        self._last, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="alerts")
        self._thread.start()

    @property
    def status(self) -> str:
        """A few words: how many messages were published by this object, or why none are."""
        return f"not published: {self._waiting}" if self._waiting else f"{self.published:,} published to {ALERT_TOPIC}"

    def finish(self, wait_s: float = FINISH_S) -> None:
        """Publishes what is left, waits for that for at most ``wait_s`` seconds, and ends the thread."""
        self._last.set()
        self._thread.join(wait_s)
        self._stop.set()
        if self._waiting and wait_s:
            self._note("Alerts that are not published yet are published by the next run of Task 2.")

    def _run(self) -> None:
        retry_s = RETRY_S
        while not self._stop.is_set():
            last = self._last.is_set()
            try:
                with quiet_kafka():
                    self._publish_new()
            except Exception as error:  # noqa: BLE001 (whatever it is: the predictions continue, and it is said)
                self._wait(_reason(error))
                (self._stop if last else self._last).wait(retry_s)
                retry_s = RETRY_S if last else min(2 * retry_s, RETRY_LIMIT_S)
                continue
            retry_s, self._waiting = RETRY_S, ""
            if last:
                break
            self._last.wait(EVERY_S)
        self._disconnect()

    def _wait(self, reason: str) -> None:
        """Says once per outage why nothing is published; the next attempt looks for the cluster anew."""
        self._disconnect()
        if not self._waiting:
            self._note(f"Alerts are not published: {reason}. Predictions continue; the alerts follow.")
        self._waiting = reason

    def _publish_new(self) -> None:
        """Publishes the alerts of all committed micro-batches after the position."""
        if self._producer is None:
            self._connect()
        newest = last_committed_batch(self._settings.checkpoints / PREDICTIONS)
        if newest is None:
            return
        if not self._identity:
            self._go_to_position()
        for file in self._files(newest):
            self._publish(file)
            self._position = batch_number(file)
        self._position = max(newest, self._position)

    def _files(self, newest: int) -> list[AnyPath]:
        """The files after the position, in order; a few of them are looked up by number, without listing the folder."""
        folder, numbers = self._settings.predictions, range(self._position + 1, newest + 1)
        if len(numbers) > LISTED_FROM:
            found = {batch_number(file): file for file in batch_files(folder)}
            return [found[number] for number in sorted(found) if number in numbers]
        return [file for number in numbers if (file := batch_file(folder, number)).exists()]

    def _publish(self, file: AnyPath) -> None:
        """Sends the alerts of one micro-batch and waits until Kafka has acknowledged all of them."""
        messages = dict(alert_messages(file, self._alerted))
        if not messages:
            return
        values = {key: json.dumps(message, ensure_ascii=False).encode() for key, message in messages.items()}
        sent = [self._producer.send(ALERT_TOPIC, key=key.encode(), value=value) for key, value in values.items()]
        for each in sent:
            each.get(timeout=ACKNOWLEDGED_S)
        if another := other_cluster(self._client):
            raise BrokerError(another)
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
        self._producer = KafkaProducer(**self._client, **PRODUCER)

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


def _reason(error: Exception) -> str:
    known = isinstance(error, FraudstreamError | KafkaError | OSError) and str(error)
    return str(error).rstrip(".") if known else f"{type(error).__name__}: {error}"
