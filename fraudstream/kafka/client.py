"""For all Kafka clients: the address once it answers, common options, and topics."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from fraudstream.errors import BrokerError, Note
from fraudstream.kafka import probe
from fraudstream.kafka.broker import config, server
from fraudstream.kafka.cluster import AnotherClusterError, ClientOptions, Cluster, cluster_of
from fraudstream.kafka.security import SETTING, client_security, external_address
from fraudstream.schemas import ALERT_TOPIC, LABEL_TOPIC, TOPICS
from fraudstream.settings import Settings

TOPIC_LIMIT_S = 30
THERE = (NoError, TopicAlreadyExistsError)

# address of an external Kafka -> the cluster that last answered there
_answered: dict[str, str] = {}


def bootstrap(settings: Settings, note: Note = print, wait_s: float = 60) -> str:
    """The address of the Kafka to use, host:port[,host:port], once it answers.

    Starts the embedded broker if it is not running; waits for an external Kafka, with a note every ten seconds.
    Raises BrokerError if it does not answer within wait_s seconds, SettingsError for a malformed address.
    """
    if settings.embedded_broker:
        return server.start(settings, note)
    address, security = external_address(settings), client_security(settings)

    def answers() -> bool:
        found = probe.cluster_id(address, **security)
        if found:
            _answered[address] = found
        return found is not None

    if answers():
        return address
    note(f"Waiting up to {wait_s:.0f} s for Kafka at {address} ({SETTING}) ...")

    def still_waiting(seconds: float) -> None:
        note(f"Kafka at {address} has not answered for {seconds:.0f} s.")

    if not probe.wait_for(answers, wait_s, still_waiting):
        raise BrokerError(
            f"{SETTING}={address}: no answer from Kafka within {wait_s:.0f} s. Start it, correct the address "
            "(or KAFKA_SECURITY_PROTOCOL, if it uses encryption), or leave the setting empty for the embedded broker."
        )
    note(f"Kafka answers at {address}.")
    return address


def client_options(settings: Settings) -> ClientOptions:
    """Options that the clients of kafka-python and kafka3 share: bootstrap_servers and security, as a dict.

    Its attribute ``cluster`` is the cluster that they connect to. Raises BrokerError if the embedded broker was never
    started, SettingsError if the settings of a secured Kafka are incomplete.
    """
    address = config.address(settings.broker_dir) if settings.embedded_broker else external_address(settings)
    if not address:
        raise BrokerError(
            f"Kafka was never started in {settings.broker_dir}. Start the broker (python -m fraudstream broker start)."
        )
    options = {"bootstrap_servers": address.split(","), **client_security(settings)}
    return ClientOptions(options, Cluster(settings, _answered.get(address)))


def ensure_topics(client: dict[str, Any], topics: Sequence[str] = TOPICS) -> None:
    """Creates ``topics`` (those of Task 1) if they are missing, and waits until they can be used.

    ``client``: the result of ``client_options``. The right to create topics is not needed if they exist.

    Kafka's own defaults (num.partitions, default.replication.factor) determine the number of partitions and replicas:
    a cluster has more of both than the embedded broker, and nothing here depends on them. Waits for brokers that are
    still starting. Several processes may call this at once. Raises BrokerError.
    """
    failed: dict[str, str] = {}

    def created() -> bool:
        missing = sorted(set(topics) - set(admin.list_topics()))
        answers = admin.create_topics(missing, raise_errors=False)["topics"] if missing else []
        errors = {topic["name"]: for_code(topic["error_code"]) for topic in answers}
        failed.clear()
        failed.update({name: error.__name__ for name, error in errors.items() if error not in THERE})
        return not any(error is InvalidReplicationFactorError for error in errors.values())

    with _admin(client) as admin:
        probe.wait_for(created, TOPIC_LIMIT_S, lambda waited: None)
        for name, error in failed.items():
            raise BrokerError(
                f"Kafka at {_address(client)} refuses to create topic {name} ({error}). Ask its administrator for the "
                "topic, or for the right to create it."
            )
        admin.wait_for_topics(topics, timeout_ms=TOPIC_LIMIT_S * 1000)


def recreate_topics(client: dict[str, Any]) -> None:
    """Empties the project's topics: deletes them, waits until they are gone, creates them. Raises BrokerError.

    Those of alerts and labels are deleted only, where we have the right to: who writes them creates them.
    """
    optional = ALERT_TOPIC, LABEL_TOPIC
    with _admin(client) as admin:
        for topic in admin.delete_topics([*TOPICS, *optional], raise_errors=False)["topics"]:
            error = for_code(topic["error_code"])
            forbidden = topic["name"] in optional and error is TopicAuthorizationFailedError
            if error not in (NoError, UnknownTopicOrPartitionError) and not forbidden:
                raise BrokerError(
                    f"Kafka at {_address(client)} refuses to delete topic {topic['name']} ({error.__name__})."
                )
        if not probe.wait_for(lambda: not set(TOPICS) & set(admin.list_topics()), TOPIC_LIMIT_S, lambda waited: None):
            raise BrokerError(
                f"Kafka at {_address(client)} did not delete {', '.join(TOPICS)} within {TOPIC_LIMIT_S} s."
            )
    ensure_topics(client)


def end_offsets(client: dict[str, Any], topic: str) -> dict[int, int]:
    """Partition -> the offset of its next message. Raises BrokerError, also for an unknown topic."""
    with _admin(client) as admin:
        described = admin.describe_topics([topic])[0]
        if described["error_code"]:
            raise BrokerError(
                f"Kafka at {_address(client)}, topic {topic}: {for_code(described['error_code']).__name__}."
            )
        wanted = {
            TopicPartition(topic, partition["partition_index"]): OffsetSpec.LATEST
            for partition in described["partitions"]
        }
        found = admin.list_partition_offsets(wanted)
    return {partition.partition: end.offset for partition, end in sorted(found.items())}


def topic_id(client: dict[str, Any], topic: str) -> str:
    """The id of ``topic``, which is never reused. Raises BrokerError, also for an unknown topic."""
    with _admin(client) as admin:
        described = admin.describe_topics([topic])[0]
        if described["error_code"]:
            raise BrokerError(
                f"Kafka at {_address(client)}, topic {topic}: {for_code(described['error_code']).__name__}."
            )
        return str(described["topic_id"])


def identity(client: dict[str, Any]) -> dict[str, str]:
    """Identity of the topics: "cluster" -> cluster id, topic -> topic id, which is never reused.

    Raises BrokerError, also for an unknown topic.
    """
    with _admin(client) as admin:
        described = admin.describe_topics(list(TOPICS))
        for topic in described:
            if topic["error_code"]:
                error = for_code(topic["error_code"]).__name__
                raise BrokerError(f"Kafka at {_address(client)}, topic {topic['name']}: {error}.")
        topics = {topic["name"]: str(topic["topic_id"]) for topic in described}
        return {"cluster": admin.describe_cluster()["cluster_id"], **topics}


def other_cluster(client: dict[str, Any]) -> str | None:
    """Why the Kafka that answers at the address is not ours, as a clause; None if it is ours or does not answer."""
    security = {name: value for name, value in client.items() if name != "bootstrap_servers"}
    found = probe.cluster_id(_address(client), **security)
    try:
        cluster_of(client).require(found)
    except AnotherClusterError as error:
        return error.args[0] if found else None
    return None


@contextmanager
def _admin(client: dict[str, Any]) -> Iterator[KafkaAdminClient]:
    """An admin client of our own cluster; its errors become BrokerError with the address."""
    try:
        with KafkaAdminClient(**client, bootstrap_timeout_ms=10_000) as admin:
            cluster_of(client).require(admin.describe_cluster()["cluster_id"])
            yield admin
    except AnotherClusterError as error:
        raise BrokerError(
            f"Kafka at {_address(client)}: {error.args[0]}. Run this cell again to look for ours."
        ) from error
    except KafkaError as error:
        raise BrokerError(f"Kafka at {_address(client)}: {error}") from error


def _address(client: dict[str, Any]) -> str:
    return ",".join(client["bootstrap_servers"])
