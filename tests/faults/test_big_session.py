"""100,000 events in one session and 5,000 transactions in one second, all sent before Task 2 starts.

A message of 200 events per second, as Task 1 sends them. (In one second, they would take minutes: see Known limits.)
"""

import shutil
import time
from datetime import datetime, timedelta

import pytest
from messages import sender
from shop import event, transaction, write_csv
from task2 import Task2

from fraudstream.kafka.client import client_options, recreate_topics
from fraudstream.run.reconcile import reconcile
from fraudstream.schemas import BROWSING_TOPIC, TRANSACTION_TOPIC
from fraudstream.settings import Settings, load_settings
from fraudstream.stream.store import batch_files, read_batch

EVENTS, TRANSACTIONS = 100_000, 5_000
ROWS_PER_MESSAGE = {BROWSING_TOPIC: 200, TRANSACTION_TOPIC: 1_000}
BEGIN = datetime(2024, 1, 1)
pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


def at(second):
    return (BEGIN + timedelta(seconds=second)).isoformat(sep=" ", timespec="milliseconds")


@pytest.fixture(scope="module")
def big_shop(shop_dir, tmp_path_factory):
    """The first session has EVENTS events; each transaction has a checkout of its own at the end."""
    folder = shutil.copytree(shop_dir, tmp_path_factory.mktemp("big") / "shop")
    events = [event("s0", "ATC" if number % 4 else "SER", at(number)) for number in range(EVENTS - 1)]
    events += [event(f"s{number}", "CO", at(EVENTS)) for number in range(TRANSACTIONS)]
    bought = [transaction(f"t{number}", f"s{number}", at(EVENTS)) for number in range(TRANSACTIONS)]
    write_csv(folder / "new_browsing_behaviour.csv", events)
    write_csv(folder / "new_transaction.csv", bought)
    return folder, events, bought


@pytest.fixture(scope="module")
def finished(big_shop, broker, model_dir, tmp_path_factory):
    """The settings of a stream that has read everything, its seconds, and the account."""
    folder, events, bought = big_shop
    given = {"data_dir": folder, "model": model_dir / "my_ML_model.zip", "output_dir": tmp_path_factory.mktemp("out")}
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.environment_names().values():
            patch.delenv(name, raising=False)
        settings = load_settings(
            **given, bootstrap_servers=broker, spark_master="local[2]", idle_s=8, max_offsets_per_trigger=0
        )
    recreate_topics(client_options(settings))
    end = int(time.time())
    with sender(broker) as send:
        for topic, rows in ((BROWSING_TOPIC, events), (TRANSACTION_TOPIC, bought)):
            count = ROWS_PER_MESSAGE[topic]
            for begin in range(0, len(rows), count):
                ts = end if topic == TRANSACTION_TOPIC else end - (len(rows) - begin) // count
                send(topic, [row | {"ts": ts} for row in rows[begin : begin + count]])
    began, task2 = time.monotonic(), Task2(settings)
    try:
        task2.finish()
    except BaseException:
        task2.kill()
        raise
    return settings, time.monotonic() - began, reconcile(settings, client_options(settings))


def test_task_2_started_after_everything_was_sent_predicts_every_transaction(finished, record_property):
    _, seconds, summary = finished
    record_property("figure", f"{summary.events:,} events, {summary.predicted:,} predicted, notebook {seconds:.0f} s")
    assert (summary.transactions_sent, summary.predicted, summary.complete) == (TRANSACTIONS, TRANSACTIONS, True)


def test_the_long_session_is_counted_to_the_last_event(finished):
    settings, _, _ = finished
    names = ["transaction_id", "l1_count", "l2_count"]
    rows = [row for file in batch_files(settings.predictions) for row in read_batch(file, names).to_pylist()]
    counts = {row["transaction_id"]: (row["l1_count"], row["l2_count"]) for row in rows}
    looked = len(range(0, EVENTS - 1, 4))
    assert counts["t0"] == (EVENTS - looked, looked)
    assert {counts[f"t{number}"] for number in range(1, TRANSACTIONS)} == {(1, 0)}
