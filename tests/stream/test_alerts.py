"""Alerts reach the topic at least once, each time the same; a Kafka that is away or refuses them stops nothing."""

import json
import re
import subprocess
import sys
import time
from contextlib import closing

import pytest
from kafka import KafkaConsumer, TopicPartition
from stumps import scored, stumps_model

from fraudstream.kafka.client import client_options, ensure_topics, recreate_topics
from fraudstream.kafka.probe import wait_for
from fraudstream.model import SavedModel
from fraudstream.run.reset import reset
from fraudstream.schemas import ALERT_TOPIC, STREAM_COLUMNS
from fraudstream.settings import PROJECT, load_settings
from fraudstream.stream.alerts import AlertPublisher, position_file
from fraudstream.stream.explanations import Explanations
from fraudstream.stream.publish import write_batch
from fraudstream.stream.sink import stamped

FRAUD, HONEST = (80.0, 40), (20.0, 20)


@pytest.fixture
def settings(broker, tmp_path):
    """Settings of a running Kafka with empty topics and no topic of alerts, with a query that has predicted nothing."""
    recreate_topics({"bootstrap_servers": [broker]})
    settings = load_settings(output_dir=tmp_path / "output", bootstrap_servers=broker)
    (settings.checkpoints / "predictions" / "commits").mkdir(parents=True)
    (settings.checkpoints / "predictions" / "metadata").write_text('{"id": "q1"}')
    return settings


@pytest.fixture
def predict(settings, tmp_path):
    """A function that writes and commits a micro-batch of (transaction_id, (l1_ratio, age)) rows."""
    saved = SavedModel.open(stumps_model(tmp_path / "my_ML_model.zip"))
    explanations = Explanations(saved, saved.match(STREAM_COLUMNS), note=[].append)

    def write(batch_id, *rows, committed=True):
        if rows:
            table = stamped(scored(*((key, *values) for key, values in rows)), explanations)
            write_batch(table, settings.predictions, batch_id)
        if committed:
            (settings.checkpoints / "predictions" / "commits" / str(batch_id)).write_text("v1\n{}")

    write.version = saved.version
    return write


@pytest.fixture
def notes():
    return []


@pytest.fixture
def publish(settings, notes):
    """A function that publishes everything there is and ends."""

    def run():
        publisher = AlertPublisher(settings, note=notes.append)
        publisher.finish()
        return publisher

    return run


def messages(settings):
    """(key, value) of every message of the topic."""
    place = TopicPartition(ALERT_TOPIC, 0)
    with closing(KafkaConsumer(**client_options(settings))) as consumer:
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        end, found = consumer.end_offsets([place])[place], []
        while len(found) < end:
            found += consumer.poll(timeout_ms=1000).get(place, [])
        return [(record.key.decode(), json.loads(record.value)) for record in found]


def test_each_fraud_is_one_message_with_everything_that_was_stored(settings, predict, publish, notes):
    predict(0, ("t1", FRAUD), ("t2", HONEST))
    predict(1)
    assert publish().status == f"1 published to {ALERT_TOPIC}"
    ((key, alert),) = messages(settings)
    assert key == alert["transaction_id"] == "t1"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", alert.pop("predicted_at"))
    assert alert == {
        "transaction_id": "t1",
        "customer_id": 7,
        "withdrawn": False,
        "probability": pytest.approx(0.9526, abs=1e-4),
        "threshold": 0.5,
        "prediction": 1.0,
        "reasons": [
            {"feature": "l1_ratio", "value": "80.0", "usual": None, "contribution": 1.0, "words": "L1 share 80 %"},
            {"feature": "age", "value": "40", "usual": None, "contribution": 0.5, "words": "age 40 years"},
        ],
        "base_value": 0.0,
        "model_version": predict.version,
        "ts": 1_700_000_000,
    }
    assert notes == []


def test_a_restart_continues_and_a_repeated_micro_batch_gives_the_same_key_and_value(settings, predict, publish):
    predict(0, ("t1", FRAUD))
    publish()
    predict(1, ("t2", FRAUD))
    publish()
    assert [key for key, _ in messages(settings)] == ["t1", "t2"]
    position_file(settings).unlink()  # as after a crash before it was written
    publish()
    first, second, *again = messages(settings)
    assert again == [first, second]


def test_what_is_not_committed_waits_for_its_commit(settings, predict, publish):
    predict(0, ("t1", FRAUD))
    predict(1, ("t2", FRAUD), committed=False)
    publish()
    assert [key for key, _ in messages(settings)] == ["t1"]


def test_a_revised_prediction_replaces_the_alert_or_withdraws_it(settings, predict, publish):
    predict(0, ("t1", FRAUD), ("t2", FRAUD), ("t3", HONEST))
    publish()
    predict(1, ("t1", HONEST), ("t2", (80.0, 20)), ("t3", HONEST))
    publish()
    predict(2, ("t1", HONEST))
    publish()
    after = [(key, alert["withdrawn"], round(alert["probability"], 2)) for key, alert in messages(settings)[2:]]
    assert after == [("t1", True, 0.05), ("t2", False, 0.73)]


def test_alerts_follow_while_the_stream_runs(settings, predict):
    publisher = AlertPublisher(settings, note=[].append)
    predict(0, ("t0", HONEST))
    for number in range(1, 4):
        predict(number, (f"t{number}", FRAUD))
        assert wait_for(lambda number=number: publisher.published == number, 20, print)
    publisher.finish()
    assert [key for key, _ in messages(settings)] == ["t1", "t2", "t3"]


def test_a_topic_that_was_created_anew_gets_all_alerts_again(settings, predict, publish):
    predict(0, ("t1", FRAUD))
    publish()
    recreate_topics(client_options(settings))
    publish()
    assert [key for key, _ in messages(settings)] == ["t1"]


def test_a_topic_that_is_created_anew_meanwhile_gets_all_alerts_again(settings, predict):
    publisher = AlertPublisher(settings, note=[].append)
    predict(0, ("t1", FRAUD))
    assert wait_for(lambda: publisher.published == 1, 20, print)
    recreate_topics(client_options(settings))
    ensure_topics(client_options(settings), (ALERT_TOPIC,))
    predict(1, ("t2", FRAUD))
    assert wait_for(lambda: publisher.published >= 3, 60, print)
    publisher.finish()
    assert dict(messages(settings)).keys() == {"t1", "t2"}


def test_other_predictions_begin_anew(settings, predict, publish):
    predict(0, ("t1", FRAUD))
    publish()
    (settings.checkpoints / "predictions" / "metadata").write_text('{"id": "q2"}')
    publish()
    assert [key for key, _ in messages(settings)] == ["t1", "t1"]


def test_a_reset_takes_the_position_and_the_alerts_along(settings, predict, publish):
    predict(0, ("t1", FRAUD))
    publish()
    reset(settings, empty_topics=True, note=[].append)
    assert not position_file(settings).exists()


@pytest.mark.faults
def test_while_kafka_is_away_it_says_so_once_and_the_next_run_publishes(settings, predict, publish, notes):
    predict(0, ("t1", FRAUD))
    away = load_settings(output_dir=settings.output_dir, bootstrap_servers="127.0.0.1:1")
    publisher = AlertPublisher(away, note=notes.append)
    assert wait_for(lambda: publisher.status.startswith("not published: "), 30, print)
    time.sleep(2.5)
    publisher.finish(1)
    assert len(notes) == 2
    assert notes[0].startswith("Alerts are not published: Kafka at 127.0.0.1:1")
    assert notes[0].endswith(". Predictions continue; the alerts follow.")
    assert notes[1] == "Alerts that are not published yet are published by the next run of Task 2."
    publish()
    assert [key for key, _ in messages(settings)] == ["t1"]


def consumer_of_the_docs(address):
    """The ten-line consumer of docs/outputs.md, at this address."""
    text = (PROJECT / "docs" / "outputs.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import json\n.*?)```", text, re.DOTALL)
    assert len(code.splitlines()) == 10
    assert code.count('"127.0.0.1:9092"') == 1
    return code.replace("127.0.0.1:9092", address)


def test_the_consumer_of_the_documents_prints_each_alert(broker, settings, predict, publish):
    predict(0, ("t1", FRAUD))
    predict(1, ("t1", HONEST), ("t2", FRAUD))
    publish()
    command = [sys.executable, "-u", "-c", consumer_of_the_docs(broker)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as consumer:
        lines = [consumer.stdout.readline() for _ in range(3)]
        consumer.kill()
    assert lines == [
        "t1: 95% fraud: L1 share 80 %; age 40 years\n",
        "t1: withdrawn\n",
        "t2: 95% fraud: L1 share 80 %; age 40 years\n",
    ]
