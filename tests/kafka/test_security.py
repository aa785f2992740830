"""A Kafka with TLS and SASL: settings let all three clients in, nobody else gets in, the password is never shown."""

import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from cluster import HOST, Processes, new_cluster_id, start_broker

from fraudstream.errors import BrokerError, SettingsError
from fraudstream.kafka.broker import config
from fraudstream.kafka.client import bootstrap, client_options, ensure_topics
from fraudstream.kafka.security import spark_security
from fraudstream.kafka.topic_reader import read_messages
from fraudstream.notebook.show import settings_table
from fraudstream.producer.sender import Sender
from fraudstream.runtime.java import java
from fraudstream.schemas import BROWSING_TOPIC
from fraudstream.settings import load_settings

# isort: split
from kafka3 import KafkaProducer

PASSWORD = 'a "quoted\\ secret'
SECURED = """\
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=SASL_SSL://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=SASL_SSL://{host}:{port}
inter.broker.listener.name=SASL_SSL
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
ssl.keystore.location=keys.p12
ssl.keystore.password=changeit
ssl.truststore.type=PEM
ssl.truststore.location=kafka.pem
offsets.topic.replication.factor=1
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="broker" password="b" user_broker="b" user_shop="a \\\\"quoted\\\\\\\\ secret";
"""


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    running = Processes(tmp_path_factory.mktemp("secured"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def secured(processes):
    """The settings of a broker that wants TLS, with a certificate of its own, and a name and a password."""
    folder = processes.folder / "kafka"
    folder.mkdir()
    keytool = [str(Path(java()).resolve().with_name("keytool")), "-keystore", "keys.p12", "-storepass", "changeit"]
    pair = ["-genkeypair", "-keyalg", "RSA", "-alias", "kafka", "-dname", "CN=kafka", "-ext", f"san=ip:{HOST}"]
    for arguments in (pair, ["-exportcert", "-rfc", "-alias", "kafka", "-file", "kafka.pem"]):
        subprocess.run([*keytool, *arguments], cwd=folder, check=True, capture_output=True)
    port = config.free_port(frozenset())
    addresses = {"host": HOST, "port": port, "controller": config.free_port(frozenset({port}))}
    start_broker(processes, "kafka", SECURED.format(**addresses), new_cluster_id())
    return {
        "bootstrap_servers": f"{HOST}:{port}",
        "security_protocol": "SASL_SSL",
        "sasl_username": "shop",
        "sasl_password": PASSWORD,
        "ssl_cafile": folder / "kafka.pem",
    }


def test_all_clients_get_in_by_settings(secured, spark):
    settings = load_settings(**secured)
    address, client = bootstrap(settings), client_options(settings)
    ensure_topics(client)
    with closing(Sender(KafkaProducer(**client, acks="all"), client)) as sender:
        sender.send(BROWSING_TOPIC, [{"ts": 1}], 1000)
        assert sender.read_message(BROWSING_TOPIC, 0) == b'[{"ts": 1}]'
    assert [rows for _, _, rows in read_messages(client, BROWSING_TOPIC)] == [[{"ts": 1}]]
    read = spark.read.format("kafka").option("kafka.bootstrap.servers", address).option("subscribe", BROWSING_TOPIC)
    rows = read.options(**spark_security(settings)).load()
    assert [bytes(row.value) for row in rows.collect()] == [b'[{"ts": 1}]']


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"sasl_password": "wrong one"}, "KAFKA_SASL_PASSWORD"), ({"ssl_cafile": None}, "KAFKA_SSL_CAFILE")],
)
def test_who_is_refused_hears_at_once_which_setting_is_wrong_and_no_password(secured, wrong, named):
    with pytest.raises(BrokerError, match=f"do not come together: .*{named}") as caught:
        bootstrap(load_settings(**{**secured, **wrong}), wait_s=60)
    assert "wrong one" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"sasl_password": ""},
            "KAFKA_SECURITY_PROTOCOL=SASL_SSL: set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD too.",
        ),
        (
            {"ssl_cafile": "/nowhere.pem"},
            "KAFKA_SSL_CAFILE=/nowhere.pem: no such file. Name the PEM file of Kafka's CA.",
        ),
    ],
)
def test_half_of_what_security_needs_is_refused(wrong, message):
    given = {"security_protocol": "SASL_SSL", "sasl_username": "shop", "sasl_password": PASSWORD} | wrong
    with pytest.raises(SettingsError) as caught:
        client_options(load_settings(bootstrap_servers="a:1", **given))
    assert str(caught.value) == message


def test_the_password_is_never_shown_but_handed_on(monkeypatch):
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", PASSWORD)
    settings = load_settings()
    shown = settings_table(settings)
    assert PASSWORD not in "".join((repr(shown), shown._repr_html_(), repr(settings), str(settings)))
    assert settings.as_environment()["KAFKA_SASL_PASSWORD"] == PASSWORD


def test_a_kafka_that_asks_for_nothing_needs_no_option(settings):
    given = load_settings(bootstrap_servers="a:1", output_dir=settings.output_dir)
    assert (client_options(given), spark_security(given)) == ({"bootstrap_servers": ["a:1"]}, {})
