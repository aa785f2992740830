"""Which Kafka a client is connected to: the cluster's own id, because a port can change hands while a client waits."""

from typing import Any

from kafka import KafkaConsumer
from kafka.errors import RetriableError

from fraudstream.errors import Note
from fraudstream.kafka.broker import config, process, server
from fraudstream.settings import Settings

ANSWER_LIMIT_MS = 2000


class AnotherClusterError(RetriableError):
    """Another cluster answers at the address of ours. Waiting helps: ours may come back."""


class Cluster:
    """The one cluster that a client belongs to.

    The embedded broker's id is in its folder. Of another Kafka, the first id seen counts (``own_id``, or the first that
    ``require`` is given).
    """

    def __init__(self, settings: Settings | None = None, own_id: str | None = None) -> None:
        self._embedded = settings if settings and settings.embedded_broker else None
        self._first_seen = own_id
        self._restarted = False

    @property
    def own_id(self) -> str | None:
        """The id of our cluster; None as long as none is known."""
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
    """Options for kafka-python and kafka3, and the cluster (Cluster) that they lead to."""

    def __init__(self, options: dict[str, Any], cluster: Cluster) -> None:
        super().__init__(options)
        self.cluster = cluster


def cluster_of(client: dict[str, Any]) -> Cluster:
    """The cluster of ``client_options``; for any other dict one that takes the first id it sees for its own."""
    return client.cluster if isinstance(client, ClientOptions) else Cluster()


def connected_cluster_id(consumer: KafkaConsumer) -> str:
    """The id of the cluster that the consumer is connected to now: one request, not what it was told earlier.

    kafka-python keeps the id to itself, and fetches messages over a new connection before it asks for metadata.
    Raises a KafkaError that can be retried if there is no answer.
    """
    asked = consumer._cluster.request_update()
    consumer._net.run(consumer._manager.wait_for, asked, ANSWER_LIMIT_MS)
    return consumer._cluster.cluster_id
