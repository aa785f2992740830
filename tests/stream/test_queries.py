"""Queries start once per name and stop in order; an interrupt ends a wait and breaks no query."""

import os
import signal
import time
from threading import Timer

import pytest

from fraudstream.errors import FraudstreamError, OutputError
from fraudstream.stream.checkpoint import require_predictions
from fraudstream.stream.monitor import StreamMonitor
from fraudstream.stream.queries import Queries, wait_for_end


def disk_full(batch, batch_id):
    raise OSError(28, "No space left on device", "part-0.parquet")


def test_what_the_sink_raised_is_the_reason(spark, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.txt").write_text("a line\n")
    writer = spark.readStream.text(str(tmp_path / "in")).writeStream.queryName("predictions").foreachBatch(disk_full)
    query = writer.option("checkpointLocation", str(tmp_path / "checkpoint")).start()
    with pytest.raises(FraudstreamError) as caught:
        wait_for_end(query)
    assert str(caught.value) == (
        "The query predictions stopped: OSError: [Errno 28] No space left on device: 'part-0.parquet' "
        "(details in Spark's log, see 2.1)."
    )


def test_a_reason_of_spark_s_own_is_its_first_line(spark, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.txt").write_text("a line\n")
    rows = spark.readStream.text(str(tmp_path / "in")).selectExpr("assert_true(value = '', 'not empty')")
    writer = rows.writeStream.queryName("products").format("console")
    query = writer.option("checkpointLocation", str(tmp_path / "c")).start()
    with pytest.raises(
        FraudstreamError, match=r"^The query products stopped: .+\(details in Spark's log, see 2\.1\)\.$"
    ):
        wait_for_end(query)


@pytest.fixture
def counting(spark, tmp_path):
    """A query without an end, and the list that its foreachBatch adds to."""
    counted = []
    writer = spark.readStream.format("rate").load().writeStream.queryName("predictions")
    writer = writer.option("checkpointLocation", str(tmp_path / "checkpoint"))
    query = writer.foreachBatch(lambda batch, batch_id: counted.append(batch.count())).start()
    yield query, counted
    query.stop()


def continues(query, counted):
    """Whether the query takes in more, and can be stopped."""
    so_far, deadline = len(counted), time.monotonic() + 20
    while len(counted) == so_far and time.monotonic() < deadline:
        time.sleep(0.1)
    query.stop()
    return len(counted) > so_far and query.exception() is None


def test_an_interrupt_of_the_wait_for_a_query_s_end_breaks_no_query(counting):
    query, counted = counting
    Timer(1.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        wait_for_end(query)
    assert continues(query, counted)


def test_a_cell_that_is_run_twice_has_one_query(spark, settings, tmp_path):
    queries = Queries(spark, StreamMonitor(settings, {"bootstrap_servers": ["127.0.0.1:1"]}))

    def start():
        writer = spark.readStream.format("rate").load().writeStream.foreachBatch(lambda batch, batch_id: None)
        return queries.start("frauds", writer.option("checkpointLocation", str(tmp_path / "checkpoint")))

    first, second = start(), start()
    assert (first.isActive, second.isActive, second.name) == (False, True, "frauds")
    second.stop()


def test_finish_lets_each_follower_take_in_what_has_come_since_its_last_trigger(spark, settings, tmp_path):
    (tmp_path / "in").mkdir()
    queries, seen = Queries(spark, StreamMonitor(settings, {"bootstrap_servers": ["127.0.0.1:1"]})), []
    writer = spark.readStream.text(str(tmp_path / "in")).writeStream.trigger(processingTime="1 hour")
    writer = writer.foreachBatch(lambda batch, batch_id: seen.extend(row.value for row in batch.collect()))
    query = queries.start("frauds", writer.option("checkpointLocation", str(tmp_path / "checkpoint")))
    time.sleep(2)  # the first trigger finds nothing
    (tmp_path / "in" / "one.txt").write_text("a line\n")
    queries.finish()
    assert (seen, query.isActive) == (["a line"], False)


def test_a_report_whose_predictions_are_gone_is_refused(tmp_path):
    for name in ("predictions", "frauds"):
        (tmp_path / name / "commits").mkdir(parents=True)
        (tmp_path / name / "commits" / "0").touch()
    require_predictions(tmp_path)
    (tmp_path / "predictions").rename(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"frauds has read predictions, but .*predictions is gone\. Start over"):
        require_predictions(tmp_path)
