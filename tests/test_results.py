"""The results as other tools read them: plain paths, right types, the file's own times."""

import json
import sqlite3
from datetime import datetime

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from fraudstream import results
from fraudstream.data.parsing import parsed
from fraudstream.errors import OutputError, command
from fraudstream.storage.hadoop import hadoop_glob
from fraudstream.stream.publish import write_batch
from fraudstream.stream.sink import PredictionSink

# in the hour that Melbourne's clocks leave out: the shop's do not
IN_THE_GAP = "2024-10-06 02:30:00.123"
LAST_TS = 1_700_000_200


@pytest.fixture
def run(spark, settings):
    """The settings of a run of twelve micro-batches: t1 in all of them, revised each time, t2 in the last one only."""
    checkpoint = settings.checkpoints / "predictions"
    checkpoint.mkdir(parents=True)
    (checkpoint / "metadata").write_text('{"id": "q1"}')
    sink = PredictionSink(settings.predictions, checkpoint)
    for batch_id in range(12):
        ids = ["t1", "t2"] if batch_id == 11 else ["t1"]
        rows = spark.createDataFrame(
            [(each, IN_THE_GAP, LAST_TS) for each in ids], "transaction_id string, at string, ts int"
        )
        created_at = parsed(F.col("at"), "timestamp").alias("created_at")
        event_time = F.timestamp_seconds("ts").alias("event_time")
        prediction = F.lit(float(batch_id % 2)).alias("prediction")
        sink(rows.select("transaction_id", created_at, "ts", event_time, prediction), batch_id)
    return settings


def check_frame(rows):
    """As every reader must have them: 13 rows, an integer batch_id, the file's own time."""
    assert (len(rows), rows.batch_id.max(), sorted(set(rows.batch_id))) == (13, 11, list(range(12)))
    assert pd.api.types.is_integer_dtype(rows.batch_id)
    assert set(rows.created_at) == {pd.Timestamp(IN_THE_GAP)}
    assert set(rows.event_time.dt.tz_convert("UTC")) == {pd.Timestamp(LAST_TS, unit="s", tz="UTC")}


def test_pandas_reads_the_folder_whose_batch_id_is_a_category_of_integers(run):
    check_frame(pd.read_parquet(run.predictions).astype({"batch_id": "int64"}))
    one = pd.read_parquet(run.predictions / "batch_id=11" / "part-0.parquet")
    assert one.transaction_id.tolist() == ["t1", "t2"]


def test_pyarrow_reads_the_folder_with_its_partitions(run):
    check_frame(ds.dataset(run.predictions, partitioning="hive").to_table().to_pandas())


def test_every_file_in_the_folder_is_parquet_of_one_schema(run):
    """So do polars and DuckDB read it, which take every file that they find."""
    files = [path for path in run.predictions.rglob("*") if path.is_file()]
    (schema,) = {str(pq.read_schema(file).remove_metadata()) for file in files}
    assert "created_at: timestamp[us]\n" in f"{schema}\n"


@pytest.mark.parametrize("schema", [None, "transaction_id string, created_at timestamp_ntz, batch_id long"])
def test_spark_reads_the_folder_with_and_without_a_schema(spark, run, schema):
    reader = spark.read if schema is None else spark.read.schema(schema)
    rows = reader.parquet(hadoop_glob(run.predictions)).groupBy("created_at").agg(F.max("batch_id"), F.count("*"))
    assert rows.collect() == [(datetime(2024, 10, 6, 2, 30, 0, 123000), 11, 13)]


def test_years_that_no_reader_can_hold_are_not_read(spark):
    texts = [
        "294000-01-01 00:00:00",
        "10000-01-01 00:00:00",
        "9999-12-31 23:59:59",
        "0001-01-01 00:00:00",
        "-0044-03-15",
    ]
    rows = spark.createDataFrame([(each,) for each in texts], "text string")
    times = rows.select(*(parsed(F.col("text"), type_).isNull().alias(type_) for type_ in ("timestamp", "date")))
    assert [row.timestamp for row in times.collect()] == [True, True, False, True, True]
    assert [row.date for row in times.collect()] == [True, True, False, True, True]


def test_the_newest_prediction_per_transaction(run):
    rows = results.predictions(run)
    assert rows[["transaction_id", "batch_id", "prediction"]].values.tolist() == [["t1", 11, 1.0], ["t2", 11, 1.0]]


def test_a_report_is_in_the_order_of_time_with_its_times_as_such(run):
    with sqlite3.connect(run.reports) as file:
        file.execute("create table quantity_every_30_seconds (window_start text, window_end text, quantity integer)")
        for end in (LAST_TS, LAST_TS - 30):
            window = [pd.Timestamp(each, unit="s", tz="UTC").isoformat() for each in (end - 30, end)]
            file.execute("insert into quantity_every_30_seconds values (?, ?, 7)", window)
    windows = results.report("quantity_every_30_seconds", run)
    ends = [pd.Timestamp(each, unit="s", tz="UTC") for each in (LAST_TS - 30, LAST_TS)]
    assert (windows.window_end.tolist(), windows.quantity.tolist()) == (ends, [7, 7])


def test_quarantine_and_summary(run):
    assert results.quarantine(run).empty
    write_batch(pa.table({"topic": ["transactions"], "reason": ["ts is missing"]}), run.quarantine, 3)
    assert results.quarantine(run).values.tolist() == [["transactions", "ts is missing", 3]]
    (run.output_dir / "summary.json").write_text(json.dumps({"predicted": 2, "seconds_p50": 0.5}))
    assert results.summary(run).to_dict() == {"predicted": 2, "seconds_p50": 0.5}


def test_what_is_not_there_is_said_in_one_line(settings):
    with pytest.raises(OutputError) as caught:
        results.predictions(settings)
    assert str(caught.value) == f"{settings.predictions}: no predictions. Make them with: {command('run')}"
    with pytest.raises(OutputError, match=r"^frauds: no such report\. The reports are frauds_last_2_minutes, "):
        results.report("frauds", settings)
