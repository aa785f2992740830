"""Messages for the topics: lists of rows, and whatever else somebody may send."""

import json
from contextlib import closing
from typing import Any

from kafka import KafkaProducer

Message = list[dict[str, Any]] | bytes | None


def send(address: str, topic: str, *messages: Message, sent_at: float | None = None) -> None:
    """Send each list of rows as JSON, anything else as it is; ``sent_at``, Unix seconds, is the record's time."""
    with closing(KafkaProducer(bootstrap_servers=address, acks="all")) as producer:
        for message in messages:
            value = json.dumps(message).encode() if isinstance(message, list) else message
            stamp = None if sent_at is None else int(sent_at * 1000)
            producer.send(topic, value=value, key=b"any", partition=0, timestamp_ms=stamp).get(timeout=30)
