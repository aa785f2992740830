"""Sends messages to the topics: lists of rows, and anything else."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from kafka import KafkaProducer

Message = list[dict[str, Any]] | bytes | None


@contextmanager
def sender(address: str) -> Iterator[Callable[..., None]]:
    """A function that sends messages to a topic, each acknowledged: lists of rows as JSON, anything else unchanged."""
    with closing(KafkaProducer(bootstrap_servers=address, acks="all")) as producer:

        def send(topic: str, *messages: Message) -> None:
            for message in messages:
                value = json.dumps(message).encode() if isinstance(message, list) else message
                producer.send(topic, value=value, key=b"any", partition=0).get(timeout=60)

        yield send
