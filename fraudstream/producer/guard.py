"""Checks on a kafka3 producer before anything is sent: its options, and at every connection the cluster."""

import socket
import struct
from typing import Any

import fraudstream.kafka.kafka3_compat  # noqa: F401
from fraudstream.errors import BrokerError
from fraudstream.kafka.cluster import AnotherClusterError, Cluster

# isort: split
from kafka3 import KafkaProducer
from kafka3.protocol.metadata import MetadataRequest

# A broker on a machine that is gone never answers: its connection is given up after this. Longer than Kafka waits
# before it drops a silent follower (replica.lag.time.max.ms, 30 s): by then a message that was written is visible.
REQUEST_TIMEOUT_MS = 45_000
# with linger 0, a connection that is given up discards what it had not sent, instead of sending it later
NO_LINGER = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), NO_LINGER]

WITH_CLUSTER_ID = MetadataRequest[2]


def require_options(config: dict[str, Any]) -> None:
    """Checks the options of a KafkaProducer (``producer.config``) that ``Sender``'s exactly-once delivery depends on.

    Raises BrokerError that names each option that has to change.
    """
    required = {"acks": -1, "retries": 0, "max_in_flight_requests_per_connection": 1, "linger_ms": 0}
    wrong = [
        f"{name}={'all' if name == 'acks' else value} (found: {config[name]})"
        for name, value in required.items()
        if config[name] != value
    ]
    if config["request_timeout_ms"] < REQUEST_TIMEOUT_MS:
        wrong.append(f"request_timeout_ms=REQUEST_TIMEOUT_MS (found: {config['request_timeout_ms']})")
    if NO_LINGER not in config["socket_options"]:
        wrong.append("socket_options=SOCKET_OPTIONS (found: no linger of 0 s)")
    if wrong:
        raise BrokerError(
            "With these options of KafkaProducer, messages could be lost, duplicated or reordered. "
            f"Set {', '.join(wrong)}."
        )


def guard_cluster(producer: KafkaProducer, cluster: Cluster) -> None:
    """From now on ``producer`` sends to ``cluster`` only, however long it waits and whoever takes the port meanwhile.

    kafka3 does not look at the cluster's id. So each new connection of the producer is asked for it first, and until
    the answer is that of our cluster, the connection counts as not ready; one to another cluster is closed, and opened
    again later.
    """
    client = producer._sender._client
    is_ready = client.is_ready
    asked: dict[int, socket.socket] = {}
    confirmed: dict[int, socket.socket] = {}

    def answered(node: int, connection: Any, used: socket.socket, answer: Any) -> None:
        try:
            cluster.require(answer.cluster_id)
            confirmed[node] = used
        except AnotherClusterError:
            connection.close()

    def is_ready_and_ours(node: int, metadata_priority: bool = True) -> bool:
        if not is_ready(node, metadata_priority):
            return False
        connection = client._conns[node]
        used = connection._sock
        if confirmed.get(node) is not used and asked.get(node) is not used:
            asked[node] = used
            client.send(node, WITH_CLUSTER_ID([]), wakeup=False).add_callback(answered, node, connection, used)
        return confirmed.get(node) is used

    client.is_ready = is_ready_and_ours
