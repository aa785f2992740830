"""The embedded broker: a real Kafka is started, killed, restarted and stopped."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from fraudstream.errors import BrokerError, RuntimeMissingError, SettingsError
from fraudstream.kafka import broker as embedded
from fraudstream.kafka import probe
from fraudstream.kafka.broker import config
from fraudstream.kafka.client import bootstrap, client_options, end_offsets, ensure_topics, recreate_topics
from fraudstream.schemas import TOPICS, TRANSACTION_TOPIC
from fraudstream.settings import PROJECT, Settings, load_settings


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a broker that is started here, and may be killed and stopped by these tests."""
    settings = load_settings(output_dir=tmp_path_factory.mktemp("own"), bootstrap_servers="")
    embedded.start(settings)
    ensure_topics(client_options(settings))
    try:
        yield settings
    finally:
        embedded.stop(settings)


def send(address: str, *values: bytes) -> None:
    with KafkaProducer(bootstrap_servers=address) as producer:
        for value in values:
            producer.send(TRANSACTION_TOPIC, value).get(10)


def received(address: str) -> list[bytes]:
    options = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 1000}
    with KafkaConsumer(TRANSACTION_TOPIC, bootstrap_servers=address, **options) as consumer:
        return [message.value for message in consumer]


def listening(pid: int) -> set[str]:
    connections = psutil.Process(pid).net_connections("inet")
    return {connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN}


def test_start_answers_and_listens_on_127_0_0_1_only(own):
    status = embedded.status(own)
    assert status.running and status.answers
    assert {ip.removeprefix("::ffff:") for ip in listening(status.pid)} == {"127.0.0.1"}


def test_a_second_start_finds_the_same_process_and_says_nothing(own):
    before = embedded.status(own)
    notes: list[str] = []
    assert embedded.start(own, notes.append) == before.address
    assert (embedded.status(own).pid, notes) == (before.pid, [])


def test_status_is_one_readable_line(own):
    status = embedded.status(own)
    assert repr(status).startswith(f"Kafka answers at {status.address}, process {status.pid} since 20")
    assert repr(status).endswith(f" MB, folder {own.broker_dir}")


def test_killed_and_started_again_it_keeps_messages_and_address(own):
    before = embedded.status(own)
    send(before.address, b"one", b"two")
    os.kill(before.pid, signal.SIGKILL)  # its last threads are still ending when start looks
    assert embedded.start(own) == before.address
    assert embedded.status(own).pid != before.pid
    assert received(before.address) == [b"one", b"two"]


def test_stop_ends_just_that_process(own, broker):
    address = embedded.status(own).address
    assert embedded.stop(own) is True
    assert probe.cluster_id(address) is None and probe.cluster_id(broker) is not None
    assert embedded.stop(own) is False
    assert repr(embedded.status(own)) == f"Kafka is not running (folder {own.broker_dir})"


def test_a_client_elsewhere_waits_with_a_note_until_the_broker_answers(own):
    address = config.address(own.broker_dir)
    embedded.stop(own)
    elsewhere = load_settings(bootstrap_servers=address)
    notes: list[str] = []
    waiting = threading.Thread(target=bootstrap, args=(elsewhere, notes.append))
    waiting.start()
    embedded.start(own)
    waiting.join(10)
    assert notes == [
        f"Waiting up to 60 s for Kafka at {address} (KAFKA_BOOTSTRAP_SERVERS) ...",
        f"Kafka answers at {address}.",
    ]


def test_its_port_taken_meanwhile_it_takes_another_and_says_so(own):
    old = config.address(own.broker_dir)
    embedded.stop(own)
    notes: list[str] = []
    with socket.create_server(("127.0.0.1", int(old.rpartition(":")[2]))):
        new = embedded.start(own, notes.append)
    assert new != old and notes[1] == (
        f"Port {old.rpartition(':')[2]} is taken by another program: Kafka listens on {new.rpartition(':')[2]} instead."
    )


def test_a_port_taken_between_look_and_start_is_given_up_for_another(own, monkeypatch):
    old = config.address(own.broker_dir)
    embedded.stop(own)
    with socket.create_server(("127.0.0.1", int(old.rpartition(":")[2]))):
        monkeypatch.setattr(config, "is_free", lambda port: True)
        assert embedded.start(own) != old


def test_started_three_times_at_once_it_is_one_broker(settings):
    code = (
        "import sys; from fraudstream.kafka.broker import start, status\n"
        "from fraudstream.settings import load_settings\n"
        "own = load_settings(output_dir=sys.argv[1]); start(own, lambda line: None); print(status(own).pid)"
    )
    command = [sys.executable, "-c", code, str(settings.output_dir)]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) for _ in range(3)]
    pids = {start.communicate()[0] for start in starts}
    try:
        assert pids == {f"{embedded.status(settings).pid}\n"}
    finally:
        assert embedded.stop(settings)


def test_a_pid_file_left_by_a_crash_and_used_by_another_process_misleads_nobody(settings):
    settings.broker_dir.mkdir(parents=True)
    (settings.broker_dir / "running.lock").touch()
    (settings.broker_dir / "broker.pid").write_text(f"{os.getpid()}\n")
    assert not embedded.status(settings).running
    assert embedded.stop(settings) is False


def test_the_usual_port_is_taken_only_when_free(tmp_path):
    free = config.is_free(9092)
    assert (config.write_properties(tmp_path, frozenset(), print) == "127.0.0.1:9092") is free
    (tmp_path / "server.properties").unlink()
    assert config.write_properties(tmp_path, frozenset({9092}), print) != "127.0.0.1:9092"


def test_dying_at_the_start_it_leaves_one_message_with_log_and_cause(settings):
    (settings.broker_dir / "data").mkdir(parents=True)
    (settings.broker_dir / "data" / "meta.properties").write_text("version=1\nnode.id=1\n")
    with pytest.raises(BrokerError) as error:
        embedded.start(settings)
    assert str(error.value).startswith("Kafka ended while it was starting. ")
    assert str(settings.broker_dir / "server.log") in str(error.value)
    assert "cluster.id was not found" in str(error.value) and "\n" not in str(error.value)


def fake_java(folder: Path, version: str, modules: str = "") -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n[ $1 = -version ] && echo 'openjdk version \"{version}\"' >&2 || echo {modules}\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("11.0.22", "is Java 11, too old."),
        ("1.8.0_392", "is Java 8, too old."),
        ("21.0.1", "lacks module jdk.incubator.vector."),
    ],
)
def test_an_unfit_java_is_one_message(settings, tmp_path, monkeypatch, version, message):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version)))
    with pytest.raises(RuntimeMissingError) as error:
        embedded.start(settings)
    assert str(error.value).startswith(f"{tmp_path}/bin/java {message} Install a full Java runtime, 17 or newer")


def test_no_java_is_one_message(settings, tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeMissingError, match=r"^Java is missing: JAVA_HOME is not set, and PATH has no java\. "):
        embedded.start(settings)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(RuntimeMissingError, match=r"^JAVA_HOME=.*: no program bin/java there. Correct or unset it. "):
        embedded.start(settings)


def test_an_address_where_nobody_answers_is_given_up_with_the_settings_name():
    with pytest.raises(BrokerError) as error:
        bootstrap(load_settings(bootstrap_servers="127.0.0.1:1"), print, wait_s=0.5)
    assert str(error.value) == (
        "KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1: no answer from Kafka within 0 s. Start it, correct the address "
        "(or KAFKA_SECURITY_PROTOCOL, if it uses encryption), or leave the setting empty for the embedded broker."
    )
    with pytest.raises(SettingsError, match=r"^KAFKA_BOOTSTRAP_SERVERS='kafka': expected host:port\[,host:port\]\.$"):
        bootstrap(load_settings(bootstrap_servers="kafka"))


def test_topics_are_created_once_by_whoever_comes_first_and_emptied_on_demand(own):
    address = embedded.start(own)
    client = client_options(own)
    with ThreadPoolExecutor(2) as both:
        assert list(both.map(ensure_topics, [client, client])) == [None, None]
    send(address, b"x")
    assert end_offsets(client, TRANSACTION_TOPIC)[0] > 0
    recreate_topics(client)
    assert [end_offsets(client, topic) for topic in TOPICS] == [{0: 0}, {0: 0}]


def test_a_misspelt_topic_is_an_error_and_is_not_created(own):
    address = embedded.start(own)
    with KafkaProducer(bootstrap_servers=address, max_block_ms=1000) as producer, pytest.raises(KafkaError):
        producer.send("typo", b"lost").get(5)
    with pytest.raises(BrokerError, match=r", topic typo: UnknownTopicOrPartitionError\.$"):
        end_offsets(client_options(own), "typo")


def test_clients_get_the_address_that_is_set_or_that_of_the_embedded_broker(own, settings):
    assert client_options(load_settings(bootstrap_servers="a:1,b:2")) == {"bootstrap_servers": ["a:1", "b:2"]}
    assert client_options(own) == {"bootstrap_servers": [embedded.start(own)]}
    with pytest.raises(BrokerError, match=r"^Kafka was never started in .*/broker\. Start the broker \("):
        client_options(settings)
