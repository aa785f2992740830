"""Task 2 on a Spark standalone cluster with two workers and three Kafka brokers; a worker and a broker are killed in
mid-run, and the predictions equal those of a batch job.
"""

import sqlite3
import time
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pandas as pd
import pytest
import recompute
from awkward import batches
from batch_twin import COLUMNS, batch_predictions
from cluster import Processes, start_kafka, start_spark
from kafka import KafkaAdminClient
from task2 import Task2

from fraudstream.kafka.client import client_options, end_offsets, ensure_topics
from fraudstream.producer.sender import REQUEST_TIMEOUT_MS, SOCKET_OPTIONS, Sender
from fraudstream.run.reconcile import reconcile
from fraudstream.schemas import BROWSING_TOPIC, TOPICS, TRANSACTION_TOPIC
from fraudstream.settings import Settings, load_settings

# isort: split
from kafka3 import KafkaProducer

REPORTS = ("frauds_last_2_minutes", "quantity_every_30_seconds", "top_products_every_minute")
PAUSE_S = 0.4
# so long ago that every window has ended: the reports show finished ones only
AGO_S = 600
pytestmark = [pytest.mark.timeout(600), pytest.mark.faults]


@pytest.fixture(scope="module")
def clusters(shop_dir, model_dir, tmp_path_factory):
    """Settings whose two addresses are those of clusters (nothing else is different), and their processes."""
    processes = Processes(tmp_path_factory.mktemp("cluster"))
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.environment_names().values():
            patch.delenv(name, raising=False)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        try:
            own = load_settings(
                data_dir=shop_dir,
                model=model_dir / "my_ML_model.zip",
                output_dir=tmp_path_factory.mktemp("clustered"),
                bootstrap_servers=start_kafka(processes),
                spark_master=start_spark(processes),
                idle_s=6,
            )
            yield own, processes
        finally:
            processes.stop()


@contextmanager
def running(settings):
    """The notebook; killed when the test fails meanwhile."""
    task2 = Task2(settings)
    try:
        yield task2
    except BaseException:
        task2.kill()
        raise


@pytest.fixture(scope="module")
def replay(clusters):
    """A replay through the clusters, and its results; the clusters are stopped afterwards."""
    settings, processes = clusters
    ensure_topics(client_options(settings))
    shop = list(batches(settings.data_dir))
    producer = KafkaProducer(
        **client_options(settings),
        acks="all",
        max_in_flight_requests_per_connection=1,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        socket_options=SOCKET_OPTIONS,
    )
    with running(settings) as task2, closing(Sender(producer, client_options(settings))) as sender:
        task2.wait_for("the stream starts", task2.started)
        send(sender, shop[:6])
        task2.wait_for("micro-batches are predicted", lambda: task2.committed() >= 1)
        with KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers.split(",")) as admin:
            topics = admin.describe_topics(list(TOPICS))  # by now every broker knows them
        send(sender, shop[6:7])
        task2.wait_for("a micro-batch is under way", task2.under_way)
        processes.kill("worker-1")
        processes.kill("kafka-2")
        at_kill = task2.committed()
        send(sender, shop[7:])
        task2.finish()
    ends = [end_offsets(client_options(settings), topic) for topic in TOPICS]
    summary = reconcile(settings, client_options(settings))
    processes.stop()
    left = {"at_kill": at_kill, "committed": task2.committed(), "ends": ends, "summary": summary}
    return SimpleNamespace(settings=settings, shop=shop, topics=topics, **left)


@pytest.fixture(scope="module")
def predictions(spark, replay):
    """The newest prediction of each transaction, by transaction_id."""
    stored = spark.read.parquet(str(replay.settings.predictions)).orderBy("batch_id").collect()
    return {row.transaction_id: row.asDict(recursive=True) for row in stored}


def send(sender, batches):
    """Send batches as Task 1 does, quicker."""
    for rows, bought in batches:
        ts = int(time.time()) - AGO_S
        sender.send(BROWSING_TOPIC, [{**row, "ts": ts} for row in rows], ts * 1000)
        sender.send(TRANSACTION_TOPIC, [{**row, "ts": ts} for row in bought], ts * 1000)
        time.sleep(PAUSE_S)


@pytest.fixture(scope="module")
def expected(spark, shop_dir, model_dir, tmp_path_factory):
    """What the batch predicts of the same files, by transaction_id."""
    return batch_predictions(spark, shop_dir, model_dir / "my_ML_model.zip", tmp_path_factory.mktemp("unpacked"))


def test_topics_have_the_cluster_s_partitions_and_copies_and_messages_take_turns(replay):
    copies = [[len(partition["replica_nodes"]) for partition in topic["partitions"]] for topic in replay.topics]
    assert copies == [[3, 3, 3], [3, 3, 3]]
    assert replay.ends == [{0: 5, 1: 5, 2: 5}] * 2


def test_the_kill_hit_a_stream_with_much_done_and_much_left(replay):
    assert replay.at_kill >= 1
    assert replay.committed >= replay.at_kill + 2


def test_every_transaction_is_predicted_though_a_worker_and_a_broker_were_killed(replay, predictions):
    sent = {row["transaction_id"] for _, bought in replay.shop for row in bought}
    assert predictions.keys() == sent
    assert (replay.summary.batches, replay.summary.predicted, replay.summary.complete) == (15, len(sent), True)


def test_predictions_of_the_cluster_are_those_of_the_batch(predictions, expected):
    assert {key: {name: row[name] for name in COLUMNS} for key, row in predictions.items()} == expected


def test_reports_of_the_cluster_are_those_of_pandas(replay, predictions, shop_dir):
    products = recompute.table(shop_dir, "product.csv")
    names = dict(zip(products.id.astype(int), products.productDisplayName, strict=True))
    with closing(sqlite3.connect(replay.settings.reports)) as connection:
        found = {name: connection.execute(f"select * from {name} order by 1, 3").fetchall() for name in REPORTS}
    assert found == recompute.reports(pd.DataFrame(predictions.values()), names)
