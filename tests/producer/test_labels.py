"""Late labels: each once, true, not before its delay has passed; a restart continues, the end of a replay ends it."""

import json
import time
from types import SimpleNamespace

import pytest
from messages import sender
from shop import write_csv
from stream_files import records

from fraudstream.kafka.client import recreate_topics
from fraudstream.kafka.probe import wait_for
from fraudstream.producer.labels import LabelFeed
from fraudstream.schemas import LABEL_TOPIC, TRANSACTION_TOPIC
from fraudstream.settings import load_settings

T = 1_700_000_000


@pytest.fixture
def settings(broker, tmp_path):
    recreate_topics({"bootstrap_servers": [broker]})
    write_csv(tmp_path / "new_fraud_transaction.csv", [{"transaction_id": "t2", "is_fraud": "True"}])
    return load_settings(data_dir=tmp_path, output_dir=tmp_path / "output", bootstrap_servers=broker, label_delay_s=30)


@pytest.fixture
def send(broker):
    with sender(broker) as function:
        yield lambda *batches: function(TRANSACTION_TOPIC, *batches)


@pytest.fixture
def notes():
    return []


def bought(ts, *keys):
    return [{"transaction_id": key, "ts": ts} for key in keys]


def published(broker):
    """(key, transaction_id, is_fraud, label_available_at) of every label in the topic."""
    return [
        (record.key.decode(), label["transaction_id"], label["is_fraud"], label["label_available_at"])
        for record in records(broker, LABEL_TOPIC)
        for label in json.loads(record.value)
    ]


def test_a_label_is_published_when_its_delay_has_passed_and_the_rest_at_the_end(broker, settings, send, notes):
    now = SimpleNamespace(time=T + 29)
    feed = LabelFeed(settings, note=notes.append, clock=lambda: now.time)
    send(bought(T, "t1", "t2"), [], bought(T + 5, "t3"))
    assert wait_for(lambda: feed.waiting == 2, 20, print)
    assert feed.labels == 0
    now.time += 1
    assert wait_for(lambda: feed.labels == 2, 20, print)
    at_once = [("0:0", "t1", False, T + 30), ("0:0", "t2", True, T + 30)]
    assert published(broker) == at_once
    feed.finish()
    assert published(broker) == [*at_once, ("0:2", "t3", False, T + 35)]
    assert notes == [f"3 labels published to {LABEL_TOPIC}."]


def test_a_restart_publishes_no_label_again(broker, settings, send, notes):
    send(bought(T, "t1"), bought(T + 1, "t2"))
    LabelFeed(settings, note=[].append).finish()
    send(bought(T + 2, "t3"))
    LabelFeed(settings, note=notes.append).finish()
    assert [key for key, *_ in published(broker)] == ["0:0", "0:1", "0:2"]
    assert notes == [f"3 labels published to {LABEL_TOPIC}."]


def test_the_cell_run_again_publishes_nothing_early_and_nothing_twice(broker, settings, send):
    now = SimpleNamespace(time=T + 29)
    first = LabelFeed(settings, note=[].append, clock=lambda: now.time)
    send(bought(T, "t1"))
    assert wait_for(lambda: first.waiting == 1, 20, print)
    second = LabelFeed(settings, note=[].append, clock=lambda: now.time)
    assert wait_for(lambda: second.waiting == 1 and first.waiting == 0, 20, print)
    assert published(broker) == []
    now.time += 1
    assert wait_for(lambda: second.labels == 1, 20, print)
    assert [key for key, *_ in published(broker)] == ["0:0"]
    second.finish()


def test_messages_that_cannot_be_read_have_no_labels(broker, settings, send):
    send(b"no JSON", None, [{"ts": T}, {"transaction_id": "t1", "ts": "soon"}], bought(T, "t2"))
    LabelFeed(settings, note=[].append).finish()
    assert published(broker) == [("0:3", "t2", True, T + 30)]


def test_without_true_labels_there_are_none_and_it_is_said(settings, notes):
    (settings.data_dir / "new_fraud_transaction.csv").unlink()
    LabelFeed(settings, note=notes.append).finish()
    assert notes == ["No true labels (new_fraud_transaction.csv): none are published."]


@pytest.mark.faults
def test_while_kafka_is_away_it_says_so_once_and_ends_in_time(settings, notes):
    away = settings.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    feed = LabelFeed(away, note=notes.append)
    assert wait_for(lambda: bool(notes), 30, print)
    began = time.monotonic()
    feed.finish(1)
    assert time.monotonic() - began < 3
    assert len(notes) == 2
    assert notes[0].startswith("Labels are not published: Kafka at 127.0.0.1:1")
    assert notes[1] == "Labels that are not published yet are published when this notebook runs again."
