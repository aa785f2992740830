"""Which Kafka a client is connected to, by cluster id: another broker can take the port while a client waits."""

from typing import Any

from kafka import KafkaConsumer
from kafka.errors import RetriableError

from fraudstream.errors import Note
from fraudstream.kafka.broker import config, process, server
from fraudstream.settings import Settings

ANSWER_LIMIT_MS = 2000


class AnotherClusterError(RetriableError):
    """Another cluster answers at our cluster's address. Retriable: ours may return."""


class Cluster:
    """The one cluster that a client belongs to.

    The embedded broker's cluster id is in its folder. For an external Kafka, the first id seen counts (``own_id``, or
    the first argument of ``require``).
    """

    def __init__(self, settings: Settings | None = None, own_id: str | None = None) -> None:
        self._embedded = settings if settings and settings.embedded_broker else None
        self._first_seen = own_id
        self._restarted = False

    @property
    def own_id(self) -> str | None:
        """The id of our cluster; None if not known yet."""
        return (self._embedded and config.cluster_id(self._embedded.broker_dir)) or self._first_seen

    def require(self, found: str | None) -> None:
        """Raises AnotherClusterError unless ``found`` is the id of our cluster."""
        if found is None:
            raise AnotherClusterError("Kafka has not sent its cluster id yet")
        own = self.own_id
        if own is None:
            own = self._first_seen = found
        if found != own:
            raise AnotherClusterError(f"another Kafka answers there: cluster {found}, ours is {own}")
        self._restarted = False

    def restart_if_killed(self, note: Note) -> str | None:
        """Starts the embedded broker again if it was killed; its address then, otherwise None.

        Tries once per outage; a broker that was stopped on purpose stays stopped. Raises BrokerError if it fails.
        """
        if self._embedded is None or self._restarted or not process.was_killed(self._embedded.broker_dir):
            return None
        self._restarted = True
        note("The embedded broker was killed: starting it again.")
        return server.start(self._embedded, note)


class ClientOptions(dict[str, Any]):
    """Options for kafka-python and kafka3, and the cluster (Cluster) that they connect to."""

    def __init__(self, options: dict[str, Any], cluster: Cluster) -> None:
        super().__init__(options)
        self.cluster = cluster


def cluster_of(client: dict[str, Any]) -> Cluster:
    """The cluster of ``client_options``; for any other dict, a cluster that adopts the first id seen."""
    return client.cluster if isinstance(client, ClientOptions) else Cluster()


def connected_cluster_id(consumer: KafkaConsumer) -> str:
    """The id of the cluster that the consumer is connected to now, from a new request, not from cached metadata.

    kafka-python does not expose the id, and fetches messages over a new connection before it requests metadata.
    Raises a retriable KafkaError if there is no answer.
    """
    asked = consumer._cluster.request_update()
    consumer._net.run(consumer._manager.wait_for, asked, ANSWER_LIMIT_MS)
    return consumer._cluster.cluster_id
