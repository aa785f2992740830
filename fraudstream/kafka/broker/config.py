"""Kafka's server.properties, which also stores the port between two starts."""

import random
import re
import socket
from pathlib import Path

from fraudstream.errors import BrokerError, Note

HOST = "127.0.0.1"
PREFERRED_PORT = 9092
# below the ephemeral port range, so that a stored port is likely to be free at the next start
OTHER_PORTS = range(20000, 32000)

# Differences from Kafka's defaults, each with its reason. Paths are relative to the broker's folder.
PROPERTIES = """\
node.id=1
process.roles=broker,controller
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@{host}:{controller_port}
log.dirs=data

# topics are created explicitly: a misspelt name is an error, not a new topic
auto.create.topics.enable=false

# retention by age uses record timestamps, which may be old in a replay: limit the size instead (4 GiB per partition)
log.retention.ms=-1
log.retention.bytes=4294967296

# a record's time is its ts, which never goes back: a clock that was set back by over an hour must not stop Task 1
log.message.timestamp.after.max.ms=9223372036854775807

# one broker keeps one copy of everything
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# no other member joins a group: do not wait 3 s for one
group.initial.rebalance.delay.ms=0

# a killed broker can rejoin only after its old session has ended: 5 s after a kill instead of 12
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500

# 16 MB instead of 128 MB of heap for compacting the offsets topic
log.cleaner.dedupe.buffer.size=16777216
"""


def write_properties(folder: Path, taken: frozenset[int], note: Note) -> str:
    """Writes server.properties with free ports and returns the clients' address, 127.0.0.1:port.

    Tries the port of the last start, then 9092, then any free one; ports in ``taken`` are skipped.
    """
    last = address(folder)
    wanted = int(last.rpartition(":")[2]) if last else PREFERRED_PORT
    port = wanted if wanted not in taken and is_free(wanted) else free_port(taken)
    if port != wanted:
        note(f"Port {wanted} is taken by another program: Kafka listens on {port} instead.")
    controller_port = free_port(taken | {port})
    text = PROPERTIES.format(host=HOST, port=port, controller_port=controller_port)
    (folder / "server.properties").write_text(text)
    return f"{HOST}:{port}"


def address(folder: Path) -> str | None:
    """The address of the last start, from its server.properties; None if there was none."""
    path = folder / "server.properties"
    found = re.search(r"^advertised\.listeners=PLAINTEXT://(\S+)$", path.read_text(), re.M) if path.is_file() else None
    return found.group(1) if found else None


def cluster_id(folder: Path) -> str:
    """The id of the folder's cluster, from its data; empty before the first start."""
    path = folder / "data" / "meta.properties"
    found = re.search(r"^cluster\.id=(\S+)$", path.read_text(), re.M) if path.is_file() else None
    return found.group(1) if found else ""


def free_port(taken: frozenset[int]) -> int:
    """A random port that no program listens on, so that two starts at once rarely choose the same."""
    for port in random.sample(OTHER_PORTS, 200):
        if port not in taken and is_free(port):
            return port
    raise BrokerError(f"No free port for Kafka on {HOST} among 200 tried. Close programs that listen there.")


def is_free(port: int) -> bool:
    """Whether Kafka can listen there: no program accepts connections, and the port can be bound."""
    with socket.socket() as client:
        client.settimeout(1)
        if client.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as in Java: a port in TIME_WAIT counts as free
        try:
            server.bind((HOST, port))
        except OSError:
            return False
    return True
