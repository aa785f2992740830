"""Kafka: the broker that the project starts by itself, and what its clients share."""

from fraudstream.broker.client import bootstrap, client_options, end_offsets, ensure_topics, recreate_topics
from fraudstream.broker.security import spark_security
from fraudstream.broker.server import Status, as_found, start, status, stop

__all__ = [
    "Status",
    "as_found",
    "bootstrap",
    "client_options",
    "end_offsets",
    "ensure_topics",
    "recreate_topics",
    "spark_security",
    "start",
    "status",
    "stop",
]
