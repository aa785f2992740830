"""A backlog that bounded micro-batches work off gives the results of one unbounded micro-batch and of the batch job.

The real notebook, a real Kafka, topics of one and of several partitions. A micro-batch covers up to two minutes of ts,
so a topic that falls behind the other, or a partition behind the others, would lose rows to the watermark; the backlog
covers more than the ten minutes that the reports wait for a revision.
"""

import json
import sqlite3
import time
from contextlib import closing
from itertools import pairwise
from types import SimpleNamespace

import pandas as pd
import pytest
import recompute
from awkward import batches, make_awkward
from batch_twin import COLUMNS, batch_predictions
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from task2 import Task2

from fraudstream.kafka.client import client_options, recreate_topics
from fraudstream.run.reconcile import reconcile
from fraudstream.schemas import BROWSING_TOPIC, REPORT_VIEWS, TOPICS, TRANSACTION_TOPIC
from fraudstream.settings import Settings, load_settings

pytestmark = pytest.mark.faults

STEP_S, ROWS, BOUND = 9, 25, 13
LONG_AGO_S = 600  # all windows of the reports are finished
# name -> partitions of the browsing topic and of the transactions', bound
BACKLOGS = {
    "unbounded": (1, 1, 0),
    "one partition": (1, 1, BOUND),
    "three partitions": (3, 3, BOUND),
    "more partitions of events": (4, 1, BOUND),
    "more partitions of transactions": (1, 4, BOUND),
}


@pytest.fixture(scope="module")
def shop(shop_dir, tmp_path_factory):
    return make_awkward(shop_dir, tmp_path_factory.mktemp("awkward") / "data")


@pytest.fixture(scope="module")
def sent(shop):
    """The batches: topic -> list of rows with ts."""
    numbered = list(batches(shop, ROWS))
    first_ts = int(time.time()) // 60 * 60 - STEP_S * len(numbered) - LONG_AGO_S
    return [
        {
            topic: [row | {"ts": first_ts + STEP_S * number} for row in rows]
            for topic, rows in zip(TOPICS, batch, strict=True)
        }
        for number, batch in enumerate(numbered)
    ]


@pytest.fixture(scope="module")
def expected(spark, shop, model_dir, sent, tmp_path_factory):
    """The batch job's predictions of the same files, by transaction_id, with ts; and their reports by pandas."""
    by_batch = batch_predictions(spark, shop, model_dir / "my_ML_model.zip", tmp_path_factory.mktemp("unpacked"))
    ts = {row["transaction_id"]: row["ts"] for batch in sent for row in batch[TRANSACTION_TOPIC]}
    newest = {key: by_batch[key] | {"ts": ts[key]} for key in ts}
    products = recompute.table(shop, "product.csv")
    names = dict(zip(products.id.astype(int), products.productDisplayName, strict=True))
    return SimpleNamespace(newest=newest, reports=recompute.reports(pd.DataFrame(newest.values()), names))


@pytest.fixture(scope="module", params=BACKLOGS)
def worked_off(request, spark, broker, shop, model_dir, sent, tmp_path_factory):
    """The results of the notebook, started when the whole backlog was there."""
    *partitions, bound = BACKLOGS[request.param]
    fill(broker, dict(zip(TOPICS, partitions, strict=True)), sent)
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.environment_names().values():
            patch.delenv(name, raising=False)
        settings = load_settings(
            data_dir=shop,
            model=model_dir / "my_ML_model.zip",
            output_dir=tmp_path_factory.mktemp("task2"),
            bootstrap_servers=broker,
            spark_master="local[2]",
            idle_s=5,
            max_offsets_per_trigger=bound,
        )
    Task2(settings).finish()
    stored = spark.read.parquet(str(settings.predictions)).orderBy("batch_id").collect()
    with closing(sqlite3.connect(settings.reports)) as connection:
        reports = {name: connection.execute(f"select * from {name} order by 1, 3").fetchall() for name in REPORT_VIEWS}
    return SimpleNamespace(
        bound=bound,
        stored=[row.asDict(recursive=True) for row in stored],
        reports=reports,
        summary=reconcile(settings, client_options(settings)),
        read=read_per_micro_batch(settings.checkpoints / "predictions"),
    )


def fill(address, partitions, sent):
    """Creates the topics and sends all batches, in turns to the partitions, as Task 1 does."""
    recreate_topics({"bootstrap_servers": [address]})
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        admin.delete_topics(list(TOPICS))
        until(lambda: not set(TOPICS) & set(admin.list_topics()))
        admin.create_topics([NewTopic(name, number, 1) for name, number in partitions.items()])
        admin.wait_for_topics(TOPICS)
    with closing(KafkaProducer(bootstrap_servers=address, acks="all")) as producer:
        for number, batch in enumerate(sent):
            for topic, rows in batch.items():
                producer.send(topic, json.dumps(rows).encode(), partition=number % partitions[topic])
        producer.flush()


def until(happened):
    limit = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < limit
        time.sleep(0.1)


def read_per_micro_batch(checkpoint):
    """Topic -> number of messages that each micro-batch has read."""
    files = sorted((file for file in (checkpoint / "offsets").glob("[0-9]*")), key=lambda file: int(file.name))
    ends = {topic: [0] for topic in TOPICS}
    for file in files:
        for line in file.read_text().splitlines()[2:]:
            for topic, offsets in json.loads(line).items():
                ends[topic].append(sum(offsets.values()))
    return {topic: [after - before for before, after in pairwise(each)] for topic, each in ends.items()}


def test_the_backlog_is_worth_comparing_with(sent, expected):
    assert len(sent) > 8 * BOUND
    assert STEP_S * BOUND > 60
    assert STEP_S * len(sent) > 600
    batches_of = {}
    for number, batch in enumerate(sent):
        for row in batch[BROWSING_TOPIC]:
            batches_of.setdefault(row["session_id"], set()).add(number // BOUND)
    sessions = [batches_of[row["session_id"]] for row in expected.newest.values()]
    assert sum(len(numbers) > 1 for numbers in sessions) > 30
    assert {row["prediction"] for row in expected.newest.values()} == {0.0, 1.0}
    assert min(len(rows) for rows in expected.reports.values()) > 20


def test_no_micro_batch_reads_more_than_the_bound(worked_off, sent):
    numbers = worked_off.read[TRANSACTION_TOPIC]
    assert sum(numbers) == len(sent)
    if worked_off.bound:
        assert max(numbers) <= BOUND
        assert max(worked_off.read[BROWSING_TOPIC]) <= BOUND + 6
        assert len(numbers) >= len(sent) / BOUND
    else:
        assert numbers[0] == len(sent)


def test_every_transaction_is_predicted_once_so_its_events_are_never_read_later(worked_off, expected):
    assert sorted(row["transaction_id"] for row in worked_off.stored) == sorted(expected.newest)


def test_predictions_are_those_of_the_batch_job_to_the_digit(worked_off, expected):
    newest = {row["transaction_id"]: row for row in worked_off.stored}
    columns = [*COLUMNS, "ts"]
    found = {key: {name: row[name] for name in columns} for key, row in newest.items()}
    assert found == {key: {name: row[name] for name in columns} for key, row in expected.newest.items()}


@pytest.mark.parametrize("report", REPORT_VIEWS)
def test_reports_are_those_of_pandas_to_the_digit(worked_off, expected, report):
    assert worked_off.reports[report] == expected.reports[report]


def test_nothing_is_late_or_lost(worked_off):
    summary = worked_off.summary
    assert (summary.late, summary.lost, summary.quarantined, summary.reports_wrong) == (0, 0, 0, 0)
