"""Asks a Kafka for its metadata: an open port alone does not say that it answers."""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, SaslAuthenticationFailedError

ASK_AGAIN_S = 0.1


def cluster_id(address: str, **options: Any) -> str | None:
    """The id of the cluster that answers at host:port[,host:port]; None if none answers within five seconds.

    ``options`` are further ones of the client. Raises SaslAuthenticationFailedError when Kafka does not let us in.
    """
    if not any(_port_is_open(server) for server in address.split(",")):
        return None
    with quiet_kafka():
        try:
            admin = KafkaAdminClient(bootstrap_servers=address.split(","), bootstrap_timeout_ms=5000, **options)
            with admin:
                cluster = admin.describe_cluster()
        except SaslAuthenticationFailedError:
            raise
        except KafkaError:
            return None
    ready = any(not broker.get("is_fenced") for broker in cluster["brokers"])
    return cluster["cluster_id"] if ready else None


def wait_for(condition: Callable[[], bool], limit_s: float, every_10_s: Callable[[float], object]) -> bool:
    """Whether condition comes true within limit_s seconds; every_10_s is told the seconds waited."""
    began = time.monotonic()
    next_note = 10.0
    while not condition():
        waited = time.monotonic() - began
        if waited > limit_s:
            return False
        if waited > next_note:
            every_10_s(waited)
            next_note += 10
        time.sleep(ASK_AGAIN_S)
    return True


@contextmanager
def quiet_kafka() -> Iterator[None]:
    """Kafka-python logs each refused connection as an error; while we wait, our own note says it better."""
    logger = logging.getLogger("kafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _port_is_open(server: str) -> bool:
    host, _, port = server.strip().rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except OSError:
        return False
    return True
