"""A Kafka with TLS and SASL: settings let all three clients in, nobody else gets in, the password is never shown."""

import re
import subprocess
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from cluster import HOST, Processes, new_cluster_id, start_broker
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from stumps import scored, stumps_model

from fraudstream.errors import BrokerError, SettingsError
from fraudstream.kafka.broker import config
from fraudstream.kafka.client import bootstrap, client_options, ensure_topics
from fraudstream.kafka.probe import wait_for
from fraudstream.kafka.security import spark_security
from fraudstream.kafka.topic_reader import read_messages
from fraudstream.model import SavedModel
from fraudstream.notebook.show import settings_table
from fraudstream.producer.sender import REQUEST_TIMEOUT_MS, SOCKET_OPTIONS, Sender
from fraudstream.runtime.java import java
from fraudstream.schemas import ALERT_TOPIC, BROWSING_TOPIC, STREAM_COLUMNS, TOPICS
from fraudstream.settings import load_settings
from fraudstream.stream.alerts import AlertPublisher
from fraudstream.stream.explanations import Explanations
from fraudstream.stream.publish import write_batch
from fraudstream.stream.sink import stamped

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


# topics that an administrator has created: the user may read and write them, and create none
GUARDED = """\
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=SASL_PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=SASL_PLAINTEXT://{host}:{port}
inter.broker.listener.name=SASL_PLAINTEXT
listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
offsets.topic.replication.factor=1
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="admin" password="a" user_admin="a" user_shop="s";
"""


def producer(client):
    options = {"request_timeout_ms": REQUEST_TIMEOUT_MS, "socket_options": SOCKET_OPTIONS}
    return KafkaProducer(**client, acks="all", max_in_flight_requests_per_connection=1, **options)


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
    with closing(Sender(producer(client), client)) as sender:
        sender.send(BROWSING_TOPIC, [{"ts": 1}], 1000)
        assert sender.read_message(BROWSING_TOPIC, 0) == b'[{"ts": 1}]'
    assert [rows for _, _, rows in read_messages(client, BROWSING_TOPIC)] == [[{"ts": 1}]]
    read = spark.read.format("kafka").option("kafka.bootstrap.servers", address).option("subscribe", BROWSING_TOPIC)
    rows = read.options(**spark_security(settings)).load()
    assert [bytes(row.value) for row in rows.collect()] == [b'[{"ts": 1}]']


def test_the_password_is_in_no_command_line_log_or_checkpoint(secured, spark, tmp_path, capfd):
    settings = load_settings(**secured)
    ensure_topics(client_options(settings))
    source = spark.readStream.format("kafka").option("kafka.bootstrap.servers", secured["bootstrap_servers"])
    rows = source.option("subscribe", BROWSING_TOPIC).options(**spark_security(settings)).load()
    writer = rows.writeStream.format("noop").option("checkpointLocation", str(tmp_path / "checkpoint"))
    query = writer.start()
    query.processAllAvailable()
    query.explain(extended=True)
    query.stop()
    lines = [" ".join(line) for line in map(command_line, psutil.process_iter())]
    files = [spark_log(spark), *(path for path in tmp_path.rglob("*") if path.is_file())]
    seen = [*lines, *capfd.readouterr(), *(path.read_text(errors="replace") for path in files)]
    assert len(files) > 3 and "Streaming" in "".join(seen)
    assert [text for text in seen if re.search(r'quoted[\\"]+ secret', text)] == []


def command_line(process):
    try:
        return process.cmdline()
    except psutil.Error:  # it has just ended
        return []


def spark_log(spark):
    options = spark.sparkContext.getConf().get("spark.driver.extraJavaOptions")
    return Path(re.search(r'-Dfraudstream\.log=([^"]+)', options)[1])


def test_the_protocol_may_be_written_before_the_address(secured):
    settings = load_settings(
        **{name: value for name, value in secured.items() if name != "security_protocol"}
        | {"bootstrap_servers": f"SASL_SSL://{secured['bootstrap_servers']}"}
    )
    assert bootstrap(settings, wait_s=60) == secured["bootstrap_servers"]
    assert client_options(settings) == client_options(load_settings(**secured))
    assert spark_security(settings) == spark_security(load_settings(**secured))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"bootstrap_servers": "SSL://a:1", "security_protocol": "SASL_SSL"},
            "KAFKA_BOOTSTRAP_SERVERS='SSL://a:1' names SSL, but KAFKA_SECURITY_PROTOCOL=SASL_SSL. Leave one of the two "
            "out.",
        ),
        *(
            ({"bootstrap_servers": address}, f"KAFKA_BOOTSTRAP_SERVERS={address!r}: expected host:port[,host:port].")
            for address in ("http://a:1", "SSL://a:1,PLAINTEXT://b:2", "kafka", "PLAINTEXT://a", "a:1/kafka")
        ),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_at_once(given, message):
    with pytest.raises(SettingsError) as caught:
        bootstrap(load_settings(**given))
    assert str(caught.value) == message


@pytest.mark.parametrize("address", ["PLAINTEXT://a:1,PLAINTEXT://b:2", "plaintext://a:1, b:2", "a:1,b:2"])
def test_a_plaintext_address_with_and_without_protocol_is_the_same(address):
    assert client_options(load_settings(bootstrap_servers=address)) == {"bootstrap_servers": ["a:1", "b:2"]}


@pytest.fixture(scope="module")
def guarded(processes):
    """A broker that lets each user do only what the administrator allows: user -> settings."""
    port = config.free_port(frozenset())
    addresses = {"host": HOST, "port": port, "controller": config.free_port(frozenset({port}))}
    start_broker(processes, "guarded", GUARDED.format(**addresses), new_cluster_id())
    common = {"bootstrap_servers": f"SASL_PLAINTEXT://{HOST}:{port}"}
    users = {name: load_settings(**common, sasl_username=name, sasl_password=name[0]) for name in ("admin", "shop")}
    bootstrap(users["admin"])
    return users


def test_topics_that_exist_need_no_right_to_create_any(guarded):
    shop = client_options(guarded["shop"])
    with pytest.raises(BrokerError, match=r"refuses to create topic .*Ask its administrator for the topic, or"):
        ensure_topics(shop)
    ensure_topics(client_options(guarded["admin"]))
    allowed = (ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE)
    for topic in TOPICS:
        allow(guarded["admin"], topic, *allowed)
    assert wait_for(lambda: _usable(shop), 20, lambda waited: None)
    with closing(Sender(producer(shop), shop)) as sender:
        sender.send(BROWSING_TOPIC, [{"ts": 1}], 1000)
    assert [rows for _, _, rows in read_messages(shop, BROWSING_TOPIC)] == [[{"ts": 1}]]


@pytest.mark.faults
def test_without_the_right_to_the_topic_alerts_wait_for_it_and_nothing_else_does(guarded, tmp_path):
    shop, notes = guarded["shop"].model_copy(update={"output_dir": tmp_path / "output"}), []
    commits = shop.checkpoints / "predictions" / "commits"
    commits.mkdir(parents=True)
    (commits.parent / "metadata").write_text('{"id": "q1"}')
    saved = SavedModel.open(stumps_model(tmp_path / "my_ML_model.zip"))
    write_batch(
        stamped(scored(("t1", 80.0, 40)), Explanations(saved, saved.match(STREAM_COLUMNS), note=[].append)),
        shop.predictions,
        0,
    )
    (commits / "0").write_text("v1")
    publisher = AlertPublisher(shop, note=notes.append)
    assert wait_for(lambda: "refuses to create topic fraud_alerts" in publisher.status, 30, print)
    allow(guarded["admin"], ALERT_TOPIC, ACLOperation.ALL)
    assert wait_for(lambda: publisher.published == 1, 90, print)
    publisher.finish()
    (note,) = notes
    address = shop.bootstrap_servers.partition("://")[2]
    assert note.startswith(f"Alerts are not published: Kafka at {address} refuses to create topic {ALERT_TOPIC} (")
    assert note.endswith("or for the right to create it. Predictions continue; the alerts follow.")


def allow(admin, topic, *operations):
    """Lets the user shop do this with the topic."""
    pattern = ResourcePattern(ResourceType.TOPIC, topic)
    acls = [ACL("User:shop", "*", each, ACLPermissionType.ALLOW, pattern) for each in operations]
    with KafkaAdminClient(**client_options(admin)) as client:
        client.create_acls(acls)


def _usable(client):
    try:
        ensure_topics(client)
    except BrokerError:  # the rights are not known everywhere at once
        return False
    return True


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"sasl_password": "wrong one"}, "KAFKA_SASL_PASSWORD"), ({"ssl_cafile": None}, "KAFKA_SSL_CAFILE")],
)
def test_who_is_refused_hears_at_once_which_setting_is_wrong_and_no_password(secured, wrong, named):
    with pytest.raises(BrokerError, match=f"^Kafka at {secured['bootstrap_servers']} .*{named}") as caught:
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
