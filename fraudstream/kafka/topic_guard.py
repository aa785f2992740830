"""Which topics answer now: Spark's own Kafka source reads from whatever Kafka is at the address, whatever its id."""

import threading
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from fraudstream.errors import BrokerError, command
from fraudstream.kafka.probe import quiet_kafka
from fraudstream.schemas import TOPICS

ANSWER_MS = 2_000

# "cluster" -> the cluster's id, topic -> the topic's id, which is never reused
Identity = dict[str, str]


class TopicGuard:
    """Compares the topics that answer with those that the checkpoints belong to. Keeps one connection; thread-safe."""

    def __init__(self, client: dict[str, Any], own: Identity) -> None:
        """``client``: the result of ``client_options``; ``own``: the identity of the checkpoints' topics."""
        self._client, self._own = client, own
        self._in_turn = threading.Lock()
        self._admin: KafkaAdminClient | None = None
        self._last_seen = own

    def require(self) -> None:
        """Call it before the result of a micro-batch is stored: what Spark has just read may be another Kafka's.

        Raises BrokerError if other topics answer, or were the last to answer. While nothing answers, nothing was read
        in the meantime either.
        """
        with self._in_turn, quiet_kafka():
            self._last_seen = self._own | found if (found := self._ask()) else self._last_seen
        address = ",".join(self._client["bootstrap_servers"])
        if self._last_seen["cluster"] != self._own["cluster"]:
            raise BrokerError(
                f"Kafka at {address}: another Kafka answers there: cluster {self._last_seen['cluster']}, ours is "
                f"{self._own['cluster']}. None of its messages were processed. Start ours "
                f"({command('broker start')}), then run this notebook again: it continues where it stopped."
            )
        if self._last_seen != self._own:
            raise BrokerError(
                f"Kafka at {address}: the topics have been deleted and created again while the stream was running. "
                f"Start over with: {command('reset')} (it moves the checkpoints and results to earlier/)."
            )

    def _ask(self) -> Identity | None:
        """The identity of the topics that answer, without those that a starting broker does not know yet.

        None without an answer. A connection that broke is opened anew once.
        """
        for _ in range(2):
            try:
                self._admin = self._admin or KafkaAdminClient(**self._client, bootstrap_timeout_ms=ANSWER_MS)
                described = self._admin.describe_topics(list(TOPICS))
                topics = {topic["name"]: str(topic["topic_id"]) for topic in described if not topic["error_code"]}
                return {"cluster": self._admin.describe_cluster()["cluster_id"], **topics}
            except (KafkaError, OSError):
                self.close()
        return None

    def close(self) -> None:
        """Closes the connection; the next ``require`` opens another."""
        if self._admin is not None:
            self._admin.close()
            self._admin = None
