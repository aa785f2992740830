"""When a query of Task 2 has stopped by itself, the notebook says why in one line; an interrupt ends the wait."""

import os
import signal
import time
from threading import Timer

import pytest

from fraudstream.errors import FraudstreamError, OutputError
from fraudstream.stream.checkpoint import require_reports
from fraudstream.stream.queries import raise_if_failed, stop_all, wait_for_end, wait_until_idle


def disk_full(batch, batch_id):
    raise OSError(28, "No space left on device", "part-0.parquet")


def test_what_the_sink_raised_is_the_reason(spark, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.txt").write_text("a line\n")
    writer = spark.readStream.text(str(tmp_path / "in")).writeStream.queryName("predictions").foreachBatch(disk_full)
    query = writer.option("checkpointLocation", str(tmp_path / "checkpoint")).start()
    with pytest.raises(Exception, match="Proxy"):
        query.awaitTermination(60)
    with pytest.raises(FraudstreamError) as caught:
        raise_if_failed(query)
    assert str(caught.value) == (
        "The query predictions stopped: OSError: [Errno 28] No space left on device: 'part-0.parquet' "
        "(details in the log that 2.1 names)."
    )


def test_a_reason_of_spark_s_own_is_its_first_line(spark, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.txt").write_text("a line\n")
    rows = spark.readStream.text(str(tmp_path / "in")).selectExpr("assert_true(value = '', 'not empty')")
    query = (
        rows.writeStream.queryName("products")
        .format("console")
        .option("checkpointLocation", str(tmp_path / "c"))
        .start()
    )
    with pytest.raises(Exception, match="not empty"):
        query.awaitTermination(60)
    with pytest.raises(
        FraudstreamError, match=r"^The query products stopped: .+\(details in the log that 2\.1 names\)\.$"
    ):
        raise_if_failed(query)


@pytest.fixture
def counting(spark, tmp_path):
    """A query without an end, and the list that its foreachBatch adds to."""
    counted = []
    writer = spark.readStream.format("rate").load().writeStream.queryName("predictions")
    writer = writer.option("checkpointLocation", str(tmp_path / "checkpoint"))
    return writer.foreachBatch(lambda batch, batch_id: counted.append(batch.count())).start(), counted


def goes_on(query, counted):
    """Whether the query takes in more, and can be stopped."""
    so_far, deadline = len(counted), time.monotonic() + 20
    while len(counted) == so_far and time.monotonic() < deadline:
        time.sleep(0.1)
    stop_all([query])
    return len(counted) > so_far and query.exception() is None


def interrupt_in(seconds):
    Timer(seconds, os.kill, [os.getpid(), signal.SIGINT]).start()


def test_an_interrupt_in_the_middle_of_a_call_to_java_ends_the_wait_and_breaks_no_query(spark, counting):
    query, counted = counting
    said = []
    interrupt_in(2.5)
    wait_until_idle([query], None, lambda: spark._jvm.java.lang.Thread.sleep(1000), said.append)
    assert said == ["Interrupted: the stream ends here; run the notebook again to go on from its checkpoint."]
    assert goes_on(query, counted)


def test_an_interrupt_of_the_wait_for_a_query_s_end_breaks_no_query(counting):
    query, counted = counting
    interrupt_in(1.5)
    with pytest.raises(KeyboardInterrupt):
        wait_for_end(query)
    assert goes_on(query, counted)


@pytest.mark.parametrize("gone", ["reports.sqlite", "checkpoints/predictions"])
def test_a_report_whose_file_or_predictions_are_gone_is_refused(tmp_path, gone):
    for name in ("predictions", "frauds"):
        (tmp_path / "checkpoints" / name / "commits").mkdir(parents=True)
        (tmp_path / "checkpoints" / name / "commits" / "0").touch()
    (tmp_path / "reports.sqlite").touch()
    require_reports(tmp_path / "checkpoints", tmp_path / "reports.sqlite")
    (tmp_path / gone).rename(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=rf"frauds has read predictions, but .*{gone} is gone\. Start afresh"):
        require_reports(tmp_path / "checkpoints", tmp_path / "reports.sqlite")
