"""What every client of Kafka needs: the address, once it answers, the common options, the topics."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    NoError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from fraudstream.errors import BrokerError, Note, SettingsError
from fraudstream.kafka import probe
from fraudstream.kafka.broker import config, server
from fraudstream.kafka.security import client_security
from fraudstream.schemas import TOPICS
from fraudstream.settings import Settings

SETTING = "KAFKA_BOOTSTRAP_SERVERS"
ADDRESS = r"[^\s,]+:\d+(,[^\s,]+:\d+)*"
TOPIC_LIMIT_S = 30
THERE = (NoError, TopicAlreadyExistsError)


def bootstrap(settings: Settings, note: Note = print, wait_s: float = 60) -> str:
    """The address of the Kafka to use, host:port[,host:port], once it answers.

    The embedded broker is started where it does not run; another one is waited for, with a note every ten seconds.
    Raises BrokerError when it does not answer within wait_s seconds, SettingsError for a malformed address.
    """
    if settings.embedded_broker:
        return server.start(settings, note)
    address = settings.bootstrap_servers
    if not re.fullmatch(ADDRESS, address):
        raise SettingsError(f"{SETTING}={address!r}: expected host:port[,host:port].")
    security = client_security(settings)
    if probe.cluster_id(address, **security):
        return address
    note(f"Waiting up to {wait_s:.0f} s for Kafka at {address} ({SETTING}) ...")

    def still_waiting(seconds: float) -> None:
        note(f"Kafka at {address} does not answer yet, {seconds:.0f} s.")

    if not probe.wait_for(lambda: probe.cluster_id(address, **security) is not None, wait_s, still_waiting):
        raise BrokerError(
            f"{SETTING}={address}: no Kafka answers there after {wait_s:.0f} s. Start it, correct the address "
            "(or KAFKA_SECURITY_PROTOCOL, where it encrypts), or leave the setting empty for the embedded broker."
        )
    note(f"Kafka answers at {address}.")
    return address


def client_options(settings: Settings) -> dict[str, Any]:
    """Options that producer, consumer and admin client of kafka-python and kafka3 share: bootstrap_servers, security.

    Raises BrokerError if the embedded broker was never started, SettingsError for half of what security needs.
    """
    address = settings.bootstrap_servers or config.address(settings.broker_dir)
    if not address:
        raise BrokerError(f"Kafka was never started in {settings.broker_dir}: python -m fraudstream broker start.")
    return {"bootstrap_servers": address.split(","), **client_security(settings)}


def ensure_topics(client: dict[str, Any]) -> None:
    """Creates the project's topics where they are missing, and waits until they can be used.

    ``client``: what ``client_options`` gives.

    Partitions and copies are as many as Kafka's own defaults say (num.partitions, default.replication.factor): a
    cluster has more of both than the embedded broker, and nothing here needs to know. Brokers that are still starting
    are waited for. Others may do the same at the same moment. Raises BrokerError.
    """
    failed: dict[str, str] = {}

    def created() -> bool:
        answers = admin.create_topics(list(TOPICS), raise_errors=False)["topics"]
        errors = {topic["name"]: for_code(topic["error_code"]) for topic in answers}
        failed.clear()
        failed.update({name: error.__name__ for name, error in errors.items() if error not in THERE})
        return not any(error is InvalidReplicationFactorError for error in errors.values())

    with _admin(client) as admin:
        probe.wait_for(created, TOPIC_LIMIT_S, lambda waited: None)
        for name, error in failed.items():
            raise BrokerError(f"Kafka at {_address(client)} does not create topic {name}: {error}.")
        admin.wait_for_topics(TOPICS, timeout_ms=TOPIC_LIMIT_S * 1000)


def recreate_topics(client: dict[str, Any]) -> None:
    """Empties the project's topics: deletes them, waits until they are gone, creates them. Raises BrokerError."""
    with _admin(client) as admin:
        for topic in admin.delete_topics(TOPICS, raise_errors=False)["topics"]:
            error = for_code(topic["error_code"])
            if error not in (NoError, UnknownTopicOrPartitionError):
                raise BrokerError(
                    f"Kafka at {_address(client)} does not delete topic {topic['name']}: {error.__name__}."
                )
        if not probe.wait_for(lambda: not set(TOPICS) & set(admin.list_topics()), TOPIC_LIMIT_S, lambda waited: None):
            raise BrokerError(
                f"Kafka at {_address(client)} has not deleted {', '.join(TOPICS)} after {TOPIC_LIMIT_S} s."
            )
    ensure_topics(client)


def end_offsets(client: dict[str, Any], topic: str) -> dict[int, int]:
    """Partition -> the offset that its next message will have. Raises BrokerError, also for an unknown topic."""
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


@contextmanager
def _admin(client: dict[str, Any]) -> Iterator[KafkaAdminClient]:
    """An admin client whose errors become BrokerError with the address."""
    try:
        with KafkaAdminClient(**client, bootstrap_timeout_ms=10_000) as admin:
            yield admin
    except KafkaError as error:
        raise BrokerError(f"Kafka at {_address(client)}: {error}") from error


def _address(client: dict[str, Any]) -> str:
    return ",".join(client["bootstrap_servers"])
