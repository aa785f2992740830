"""Task 2 as a whole: the real notebook, a real Kafka, a shop full of awkward data, and a kill in mid-batch.

The notebook is killed in the middle of a micro-batch and started again; messages come twice, late or broken. The
predictions must still equal those of a batch job and of pandas exactly. (tests/run/test_run.py has an undisturbed
replay.) The ts of the batches are 15 seconds apart, so that the reports have several windows.
"""

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing
from types import SimpleNamespace

import pandas as pd
import pytest
import recompute
from awkward import batches, make_awkward
from batch_twin import COLUMNS, batch_predictions
from messages import sender
from stream_files import records
from task2 import Task2

from fraudstream.features import FEATURES
from fraudstream.kafka.client import client_options, recreate_topics
from fraudstream.run.reconcile import reconcile
from fraudstream.schemas import ALERT_TOPIC, BROWSING_TOPIC, TRANSACTION_TOPIC
from fraudstream.settings import Settings, load_settings

STEP_S = 15


class Replay:
    """Sends the shop's batches to empty topics, and counts the messages of each topic."""

    def __init__(self, send, data_dir, first_ts):
        self._send, self.batches, self._first_ts = send, list(batches(data_dir)), first_ts
        self.ends = Counter()

    def ts(self, number):
        return self._first_ts + STEP_S * number

    def rows(self, number):
        """The browsing rows and the transactions of a batch with their ts."""
        return [[row | {"ts": self.ts(number)} for row in rows] for rows in self.batches[number]]

    def send(self, topic, *messages):
        self._send(topic, *messages)
        self.ends[topic] += len(messages)

    def send_batches(self, numbers, more_browsing=(), more_transactions=()):
        for number in numbers:
            browsing, bought = self.rows(number)
            self.send(BROWSING_TOPIC, [*browsing, *more_browsing])
            self.send(TRANSACTION_TOPIC, [*bought, *more_transactions])


REPORTS = ("frauds_last_2_minutes", "quantity_every_30_seconds", "top_products_every_minute")


@pytest.fixture(scope="module")
def shop(shop_dir, tmp_path_factory):
    return make_awkward(shop_dir, tmp_path_factory.mktemp("awkward") / "data")


@pytest.fixture(scope="module")
def first_ts():
    return int(time.time()) // 60 * 60 - 600


@pytest.fixture(scope="module")
def settings(broker, shop, model_dir, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.environment_names().values():
            patch.delenv(name, raising=False)
        return load_settings(
            data_dir=shop,
            model=model_dir / "my_ML_model.zip",
            output_dir=tmp_path_factory.mktemp("task2"),
            bootstrap_servers=broker,
            spark_master="local[2]",
            idle_s=5,
        )


@pytest.fixture(scope="module")
def expected(spark, shop, model_dir, tmp_path_factory):
    """The batch job's predictions for the same files, by transaction_id."""
    return batch_predictions(spark, shop, model_dir / "my_ML_model.zip", tmp_path_factory.mktemp("unpacked"))


BROKEN = {
    TRANSACTION_TOPIC: [b"no JSON", b"", None, b'{"ts": 1}', b"[\xff]"],
    BROWSING_TOPIC: [b"no JSON", None],
}


@pytest.fixture(scope="module")
def finished(spark, broker, shop, first_ts, settings):
    """The results of the replay."""
    recreate_topics({"bootstrap_servers": [broker]})
    with sender(broker) as send:
        replay = Replay(send, shop, first_ts)
        last = len(replay.batches) - 1
        task2 = Task2(settings)
        task2.wait_for("the stream starts", task2.started)
        replay.send_batches([0, 1, 2])
        for topic, messages in BROKEN.items():
            replay.send(topic, *messages)
        replay.send_batches([3], [{"session_id": "s", "ts": replay.ts(3)}], [{"ts": replay.ts(3)}, "not a row"])
        replay.send_batches([3])
        task2.wait_for("everything so far is predicted", task2.has_read(replay.ends))
        replay.send_batches([4])
        task2.wait_for("a micro-batch is under way", task2.under_way)
        task2.kill()
        killed = task2.committed(), task2.under_way()

        task2 = Task2(settings)
        stranger = replay.rows(5)[1][0] | {"transaction_id": "unmatched", "session_id": "nobody"}
        replay.send_batches([5], more_transactions=[stranger])
        replay.send_batches(range(6, 10))
        task2.wait_for("ten batches are predicted", task2.has_read(replay.ends))
        replay.send_batches(range(10, last + 1))
        task2.wait_for("all batches are predicted", task2.has_read(replay.ends))
        target, revised = [replay.rows(number)[1][0] for number, (_, bought) in enumerate(replay.batches) if bought][
            -2:
        ]
        late = {"event_time": revised["created_at"], "ts": replay.ts(last) - 30, "event_type": "HP"}
        replay.send(BROWSING_TOPIC, [replay.rows(last)[0][0] | late | {"session_id": revised["session_id"]}])
        task2.wait_for("the late event is read", task2.has_read(replay.ends))
        too_late = {"event_time": target["created_at"], "ts": replay.ts(0), "event_type": "HP"}
        replay.send(BROWSING_TOPIC, [replay.rows(0)[0][0] | too_late | {"session_id": target["session_id"]}])
        replay.send(TRANSACTION_TOPIC, [target | {"transaction_id": "too late", "ts": replay.ts(0)}])
        task2.finish()
    stored = spark.read.parquet(str(settings.predictions)).collect()
    with closing(sqlite3.connect(settings.reports)) as connection:
        reports = {name: connection.execute(f"select * from {name} order by 1, 3").fetchall() for name in REPORTS}
    return SimpleNamespace(
        batches=replay.batches,
        stored=stored,
        newest={row.transaction_id: row.asDict(recursive=True) for row in sorted(stored, key=lambda row: row.batch_id)},
        reports=reports,
        summary=reconcile(settings, client_options(settings)),
        quarantine=spark.read.parquet(str(settings.quarantine)).collect(),
        alerts=[(record.key.decode(), json.loads(record.value)) for record in records(broker, ALERT_TOPIC)],
        killed=killed,
        revised=revised["transaction_id"],
    )


def test_the_replay_is_worth_comparing_with(finished):
    batches_of = {}
    for number, (rows, _) in enumerate(finished.batches):
        for row in rows:
            batches_of.setdefault(row["session_id"], set()).add(number)
    sessions = [batches_of[row["session_id"]] for row in finished.newest.values()]
    assert sum(len(numbers) > 1 for numbers in sessions) > 60
    assert len({row.batch_id for row in finished.stored}) >= 4
    assert {row["prediction"] for row in finished.newest.values()} == {0.0, 1.0}
    assert sum(row["age"] is None for row in finished.newest.values()) >= 3
    assert any(row[3] is None for row in finished.reports["top_products_every_minute"])


def test_the_kill_hit_a_micro_batch_that_was_under_way_after_others(finished):
    committed, under_way = finished.killed
    assert committed >= 1
    assert under_way


def test_every_transaction_sent_is_predicted_once_and_the_revised_one_twice(finished):
    sent = Counter(row["transaction_id"] for _, bought in finished.batches for row in bought)
    assert Counter(row.transaction_id for row in finished.stored) == sent + Counter([finished.revised])


def but_the_revised(finished, predictions, columns):
    """These columns of the predictions, by transaction_id, without the one that a late event has changed."""
    rows = ((key, row) for key, row in predictions.items() if key != finished.revised)
    return {key: {name: row[name] for name in columns} for key, row in rows}


def test_features_and_predictions_of_the_stream_are_those_of_the_batch(finished, expected):
    assert but_the_revised(finished, finished.newest, COLUMNS) == but_the_revised(finished, expected, COLUMNS)


def test_features_of_the_stream_are_those_of_pandas(finished, shop):
    recomputed = recompute.features(shop)
    recomputed = recomputed.astype(object).where(recomputed.notna(), None).to_dict("index")
    assert but_the_revised(finished, finished.newest, FEATURES) == but_the_revised(finished, recomputed, FEATURES)


def test_an_event_that_comes_late_within_the_minute_revises_the_prediction(finished, expected):
    before, after = expected[finished.revised], finished.newest[finished.revised]
    assert after["l3_count"] == before["l3_count"] + 1
    events = sum(after[name] for name in ("l1_count", "l2_count", "l3_count"))
    assert (after["l1_ratio"], after["l2_ratio"]) == (
        100 * after["l1_count"] / events,
        100 * after["l2_count"] / events,
    )


def test_alerts_are_those_of_the_predictions_in_spite_of_the_kill(finished):
    newest = dict(finished.alerts)
    frauds = {key for key, row in finished.newest.items() if row["prediction"] == 1}
    assert {key for key, alert in newest.items() if not alert["withdrawn"]} == frauds
    for key in frauds:
        assert newest[key]["probability"] == finished.newest[key]["probability"][1]
        stored = [each["contribution"] for each in finished.newest[key]["reasons"]]
        assert [each["contribution"] for each in newest[key]["reasons"]] == stored
    by_batch = {(key, alert["predicted_at"]): alert for key, alert in finished.alerts}
    assert all(by_batch[key, alert["predicted_at"]] == alert for key, alert in finished.alerts)


def test_predictions_carry_their_ts_and_are_later_than_it(finished, first_ts):
    sent = {
        row["transaction_id"]: first_ts + STEP_S * number
        for number, (_, rows) in enumerate(finished.batches)
        for row in rows
    }
    assert {key: row["ts"] for key, row in finished.newest.items()} == sent
    assert all(row["event_time"].timestamp() == row["ts"] for row in finished.newest.values())
    assert all(row["predicted_at"] > row["event_time"] for row in finished.newest.values())


@pytest.mark.parametrize("report", REPORTS)
def test_reports_are_those_of_pandas_by_the_newest_prediction_of_each_transaction(finished, shop, report):
    products = recompute.table(shop, "product.csv")
    names = dict(zip(products.id.astype(int), products.productDisplayName, strict=True))
    recomputed = recompute.reports(pd.DataFrame(finished.newest.values()), names)[report]
    assert len(recomputed) > 4
    assert finished.reports[report] == recomputed


def test_unmatched_late_and_quarantined_are_accounted_for(finished):
    summary = finished.summary
    assert summary.unmatched_transactions == ["unmatched"]
    assert (summary.late, summary.quarantined, summary.quarantined_transactions, summary.lost) == (1, 10, 1, 0)
    assert (summary.transactions_sent, summary.predicted) == (115, 112)


def test_what_cannot_be_read_lies_in_quarantine_with_its_place_and_reason(finished):
    no_list, no_ts = "the message is not a JSON list of objects in UTF-8", "ts is missing or not a whole number"
    transactions = [(3 + number, 0, no_list) for number in range(5)]
    size = {row.offset: row.position for row in finished.quarantine if row.topic == TRANSACTION_TOPIC}[8]
    transactions += [(8, size - 1, "created_at is missing"), (8, size, no_ts)]
    browsing = [(3, 0, no_list), (4, 0, no_list), (5, 200, "event_type is missing")]
    for topic, wanted in ((TRANSACTION_TOPIC, transactions), (BROWSING_TOPIC, browsing)):
        found = [(row.offset, row.position, row.reason) for row in finished.quarantine if row.topic == topic]
        assert sorted(found) == sorted(wanted)
