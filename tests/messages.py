"""Sends messages to the topics: lists of rows, and anything else."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from kafka import KafkaProducer

Message = list[dict[str, Any]] | bytes | None


@contextmanager
def sender(address: str, sent_at: int | None = None) -> Iterator[Callable[..., None]]:
    """A function that sends messages to a topic, each acknowledged: lists of rows as JSON, anything else unchanged.

    ``sent_at``: the records' time in Unix seconds; now, without it.
    """
    with closing(KafkaProducer(bootstrap_servers=address, acks="all")) as producer:

        def send(topic: str, *messages: Message) -> None:
            for message in messages:
                value = json.dumps(message).encode() if isinstance(message, list) else message
                time_ms = sent_at and 1000 * sent_at
                producer.send(topic, value=value, key=b"any", partition=0, timestamp_ms=time_ms).get(timeout=60)

        yield send
