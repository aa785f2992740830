"""The status line tells the truth: running, idle, waiting, behind and stopped are told apart, as of now."""

import time
from types import SimpleNamespace

import pyarrow as pa
import pytest
from messages import sender

from fraudstream.kafka.client import recreate_topics
from fraudstream.kafka.probe import wait_for
from fraudstream.model.explain.reasons import Reason, as_column
from fraudstream.schemas import BROWSING_TOPIC, TRANSACTION_TOPIC
from fraudstream.stream.monitor import StreamMonitor
from fraudstream.stream.publish import write_batch

NOW = time.time()
NONE = SimpleNamespace(batchId=None)


def predicted(*rows):
    """A micro-batch's table: (transaction_id, ts, prediction, imputed columns) per row."""
    keys, stamps, predictions, imputed = zip(*rows, strict=True)
    return pa.table(
        {
            "transaction_id": keys,
            "customer_id": pa.array([7] * len(rows), pa.int32()),
            "total_amount": [487_304.0] * len(rows),
            "ts": pa.array([int(each) for each in stamps], pa.int32()),
            "probability": [[1 - p, p] for p in predictions],
            "prediction": predictions,
            "imputed": pa.array(imputed, pa.list_(pa.string())),
        }
    )


@pytest.fixture
def client(broker):
    recreate_topics({"bootstrap_servers": [broker]})
    return {"bootstrap_servers": [broker]}


@pytest.fixture
def monitor(settings, client):
    return StreamMonitor(settings, client)


@pytest.fixture
def send(broker, client):
    with sender(broker) as function:
        yield function


@pytest.fixture
def query(spark, tmp_path):
    """A running query called predictions that reads lines of text, and its folder."""
    (tmp_path / "in").mkdir()
    writer = spark.readStream.text(str(tmp_path / "in")).writeStream.queryName("predictions")
    writer = writer.option("checkpointLocation", str(tmp_path / "checkpoint"))
    started = writer.foreachBatch(lambda batch, batch_id: batch.count()).start()
    yield started
    started.stop()


def test_what_is_on_disk_counts_after_a_restart(settings, monitor):
    write_batch(predicted(("t1", NOW, 1.0, []), ("t2", NOW, 0.0, [])), settings.predictions, 0)
    assert monitor.refresh().facts["predicted"] == "2"
    write_batch(predicted(("t3", NOW, 0.0, [])), settings.predictions, 1)
    assert monitor.refresh().facts["predicted"] == "3"


def test_each_micro_batch_of_a_running_query_is_counted_once(settings, monitor, query, tmp_path):
    monitor.watch(query)
    predicted_so_far = []
    for number in range(4):
        write_batch(predicted((f"t{number}", NOW, 1.0, [])), settings.predictions, number)
        write_batch(pa.table({"topic": ["transactions"] * 2}), settings.quarantine, number)
        (tmp_path / "in" / f"{number}.txt").write_text("line")
        query.processAllAvailable()
        now = monitor.refresh()
        predicted_so_far.append((now.facts["predicted"], len(now.alerts), now.facts["quarantined"]))
    assert predicted_so_far == [("1", 1, "2"), ("2", 2, "4"), ("3", 3, "6"), ("4", 4, "8")]


def test_imputed_transactions_are_counted_by_their_newest_prediction(settings, monitor):
    rows = ("t1", NOW, 0.0, ["gender"]), ("t2", NOW, 0.0, ["age", "gender"]), ("t3", NOW, 0.0, [])
    write_batch(predicted(*rows), settings.predictions, 0)
    write_batch(predicted(("t2", NOW, 0.0, []), ("t4", NOW, 0.0, ["age"])), settings.predictions, 1)
    facts = monitor.refresh().facts
    assert (facts["predicted"], facts["imputed"]) == ("4", "2")


def test_headline_is_of_the_last_two_minutes_as_of_now(settings, client):
    write_batch(predicted(("t1", NOW, 1.0, []), ("t2", NOW, 0.0, [])), settings.predictions, 0)
    moment = SimpleNamespace(now=NOW + 10)
    monitor = StreamMonitor(settings, client, clock=lambda: moment.now)
    assert monitor.refresh().headline == "1 flagged in the last 2 minutes, 50.0% of 2 transactions"
    moment.now += 20 * 60
    assert monitor.refresh().headline == "0 flagged in the last 2 minutes: no transaction"


def test_newest_frauds_come_first_and_a_revised_one_once(settings, monitor):
    write_batch(predicted(("t1", NOW, 1.0, []), ("t2", NOW, 0.0, [])), settings.predictions, 0)
    write_batch(predicted(("t1", NOW, 1.0, []), ("t2", NOW, 1.0, [])), settings.predictions, 1)
    alerts = monitor.refresh().alerts
    assert alerts.transaction_id.tolist() == ["t2", "t1"]
    assert alerts.amount.tolist() == ["Rp 487,304"] * 2


def test_alerts_have_their_reasons_in_words_and_the_panel_the_model(settings, monitor):
    columns = {"model_version": "6a6dcbeecc73", "alert_threshold": 0.2, "base_value": 0.0}
    table = predicted(("t1", NOW, 0.0, []), ("t2", NOW, 0.25, []))  # neither is predicted as fraud
    for name, value in columns.items():
        table = table.append_column(name, pa.repeat(pa.scalar(value), 2))
    strongest = [Reason("l1_ratio", 62.0, 21.0, 0.5), Reason("gender", "M", None, 0.25)]
    table = table.append_column("reasons", as_column([[], [*strongest, *strongest]]))
    write_batch(table, settings.predictions, 0)
    now = monitor.refresh()
    assert now.alerts.transaction_id.tolist() == ["t2"]
    assert now.alerts.reasons.tolist() == ["L1 share 62 %, usual 21 %; gender M; L1 share 62 %, usual 21 %"]
    assert now.facts["model"] == "6a6dcbeecc73"


def test_lag_is_what_no_finished_micro_batch_has_read(client, monitor, send):
    send(BROWSING_TOPIC, [{"ts": 1}], [{"ts": 2}])
    send(TRANSACTION_TOPIC, [])
    snapshot = monitor.refresh()
    assert (monitor.lag, snapshot.facts["batches sent"]) == (3, "2")


def test_before_the_first_message_it_waits_for_task_1(monitor, query):
    monitor.watch(query)
    assert monitor.refresh().state == "waiting"


def test_a_stopped_query_is_said_to_be_stopped_and_its_rate_is_zero(monitor, query, tmp_path):
    monitor.watch(query)
    for number in range(2):  # of its first micro-batch Spark knows no rate
        (tmp_path / "in" / f"{number}.txt").write_text("a line\n")
        assert wait_for(lambda number=number: (query.lastProgress or NONE).batchId == number, 60, print)
        monitor.refresh()
    assert monitor.refresh().queries["rows/s"][0] > 0
    query.stop()
    snapshot = monitor.refresh()
    assert (snapshot.state, snapshot.failed) == ("stopped", False)
    assert snapshot.queries.loc[0, ["state", "rows/s"]].tolist() == ["stopped", 0.0]


def test_a_failed_query_gives_its_reason(monitor, spark, tmp_path):
    def disk_full(batch, batch_id):
        raise OSError(28, "No space left on device", "part-0.parquet")

    (tmp_path / "one.txt").write_text("a line\n")
    writer = spark.readStream.text(str(tmp_path)).writeStream.queryName("predictions").foreachBatch(disk_full)
    query = writer.option("checkpointLocation", str(tmp_path / "checkpoint")).start()
    monitor.watch(query)
    assert wait_for(lambda: not query.isActive, 60, print)
    snapshot = monitor.refresh()
    assert (snapshot.state, snapshot.failed) == ("stopped", True)
    assert snapshot.detail == (
        "the query predictions stopped: OSError: [Errno 28] No space left on device: 'part-0.parquet'"
    )


def test_while_kafka_is_away_it_says_so(settings, query):
    monitor = StreamMonitor(settings, {"bootstrap_servers": ["127.0.0.1:1"]})
    monitor.watch(query)
    snapshot = monitor.refresh()
    assert (snapshot.state, monitor.lag) == ("waiting for Kafka", None)


def test_after_the_last_message_it_is_idle(settings, client, query, send):
    moment = SimpleNamespace(now=NOW)
    monitor = StreamMonitor(settings, client, clock=lambda: moment.now)
    monitor.watch(query)
    send(BROWSING_TOPIC, [{"ts": 1}])
    assert monitor.refresh().state == "running"
    moment.now += 20 * 60
    snapshot = monitor.refresh()
    assert snapshot.state == "idle"
    assert snapshot.detail.startswith("no message for 20 min, since ")
