"""Ask a Kafka for its metadata: an open port alone does not prove that Kafka answers."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from fraudstream.errors import BrokerError

ASK_AGAIN_S = 0.1
# not retriable, but kafka-python retries and reports the reason only in its log
REFUSALS = {
    "Authentication failed": "refused the connection: unknown user or wrong password (KAFKA_SASL_USERNAME, "
    "KAFKA_SASL_PASSWORD, KAFKA_SASL_MECHANISM)",
    "CERTIFICATE_VERIFY_FAILED": "has a certificate not signed by a trusted authority (KAFKA_SSL_CAFILE)",
}
# handlers of the threads that keep kafka-python's log quiet now
_quiet: list[logging.Handler] = []
_quiet_lock = threading.Lock()


def cluster_id(address: str, **options: Any) -> str | None:
    """The id of the cluster that answers at host:port[,host:port]; None if none answers within five seconds.

    ``options``: further options of the client. Raises BrokerError if either side refuses the other.
    """
    if not any(_port_is_open(server) for server in address.split(",")):
        return None
    with quiet_kafka() as logged:
        try:
            admin = KafkaAdminClient(bootstrap_servers=address.split(","), bootstrap_timeout_ms=5000, **options)
            with admin:
                cluster = admin.describe_cluster()
        except KafkaError as error:
            for sign, reason in REFUSALS.items():
                if any(sign in line for line in logged):
                    raise BrokerError(f"Kafka at {address} {reason}.") from error
            return None
    ready = any(not broker.get("is_fenced") for broker in cluster["brokers"])
    return cluster["cluster_id"] if ready else None


def wait_for(condition: Callable[[], bool], limit_s: float, every_10_s: Callable[[float], object]) -> bool:
    """Whether condition becomes true within limit_s seconds; every_10_s is called with the seconds waited."""
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


class _Logged(logging.Handler):
    """Keeps the text of every log record."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def quiet_kafka() -> Iterator[list[str]]:
    """Redirects kafka-python's log, which reports each refused connection as an error, to the list that it yields.

    While we wait, our own note is shown instead. Threads may overlap: the log is back when the last of them has ended.
    """
    logger, logged = logging.getLogger("kafka"), _Logged()
    logger.addHandler(logged)
    with _quiet_lock:
        _quiet.append(logged)
        logger.propagate = False
    try:
        yield logged.lines
    finally:
        logger.removeHandler(logged)
        with _quiet_lock:
            _quiet.remove(logged)
            logger.propagate = not _quiet


def _port_is_open(server: str) -> bool:
    host, _, port = server.strip().rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except OSError:
        return False
    return True
