"""The prediction sink: each micro-batch is visible once, complete or not at all, and bound to its query."""

from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fraudstream.errors import OutputError, command
from fraudstream.stream import store
from fraudstream.stream.sink import QUERY_FILE, QUERY_ID, PredictionSink
from fraudstream.stream.store import write_batch


def rows(*ids):
    return pa.table({"transaction_id": pa.array(ids, pa.string())})


def ids(spark, folder):
    """(transaction_id, batch_id) of every row that a reader sees."""
    return sorted(spark.read.schema("transaction_id string, batch_id long").parquet(str(folder)).collect())


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def mark(folder, query):
    """Leaves the mark of ``query`` with the predictions in ``folder``."""
    pq.write_table(rows().replace_schema_metadata({QUERY_ID: query.encode()}), folder / QUERY_FILE)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "predictions"


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint of the query q1 that has committed nothing yet."""
    path = tmp_path / "checkpoints" / "predictions"
    (path / "commits").mkdir(parents=True)
    (path / "metadata").write_text('{"id":"q1"}')
    return path


def test_a_batch_that_is_written_twice_changes_nothing(spark, folder):
    assert write_batch(rows("t1", "t2"), folder, 0)
    assert not write_batch(rows("t3"), folder, 0)
    assert write_batch(rows("t4"), folder, 1)
    assert ids(spark, folder) == [("t1", 0), ("t2", 0), ("t4", 1)]


def test_a_half_written_batch_is_not_seen_and_is_replaced(spark, folder):
    write_batch(rows("t1"), folder, 0)
    leftover = folder.parent / ".predictions.unfinished" / "batch-000001.parquet-1234-abcd"  # of a killed writer
    leftover.write_bytes((folder / "batch-000000.parquet").read_bytes()[:20])
    assert ids(spark, folder) == [("t1", 0)]
    write_batch(rows("t2"), folder, 1)
    assert ids(spark, folder) == [("t1", 0), ("t2", 1)]
    assert names(folder) == ["batch-000000.parquet", "batch-000001.parquet"]
    assert list(leftover.parent.iterdir()) == []


def test_of_two_writers_of_one_batch_one_publishes_it(folder, monkeypatch):
    publish = store._name

    def slower(unfinished, final):
        monkeypatch.setattr(store, "_name", publish)
        assert write_batch(rows("faster"), folder, 1)
        publish(unfinished, final)

    monkeypatch.setattr(store, "_name", slower)
    assert not write_batch(rows("slower"), folder, 1)
    assert pq.read_table(folder / "batch-000001.parquet")["transaction_id"].to_pylist() == ["faster"]
    assert list((folder.parent / ".predictions.unfinished").iterdir()) == []


def test_a_disk_without_hard_links_has_its_batches_by_rename(folder, monkeypatch):
    def no_links(*paths):
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    assert write_batch(rows("t1"), folder, 0)
    assert (names(folder), list((folder.parent / ".predictions.unfinished").iterdir())) == (
        ["batch-000000.parquet"],
        [],
    )


def test_a_batch_is_one_file(spark, folder):
    write_batch(rows("t1"), folder, 7)
    assert names(folder) == ["batch-000007.parquet"]


def test_an_empty_batch_writes_nothing(folder):
    assert not write_batch(rows(), folder, 0)
    assert not folder.exists()


def test_predicted_at_is_later_than_the_call_and_not_later_than_its_end(spark, folder, checkpoint):
    batch = spark.range(3).selectExpr("string(id) as transaction_id")
    before = datetime.now(timezone.utc)
    PredictionSink(folder, checkpoint)(batch, 0)
    stamps = pq.read_table(folder / "batch-000000.parquet")["predicted_at"]
    assert stamps.type == pa.timestamp("us", tz="UTC")
    assert len(set(stamps.to_pylist())) == 1
    assert before < stamps[0].as_py() < datetime.now(timezone.utc)


def test_the_query_that_wrote_them_goes_on(spark, folder, checkpoint):
    batch = spark.range(1).selectExpr("string(id) as transaction_id")
    PredictionSink(folder, checkpoint)(batch, 0)
    (checkpoint / "commits" / "0").write_text("v1\n{}")
    PredictionSink(folder, checkpoint)(batch, 1)
    assert pq.read_schema(folder / QUERY_FILE).metadata[QUERY_ID] == b"q1"
    assert ids(spark, folder) == [("0", 0), ("0", 1)]


def test_a_query_that_was_killed_before_its_first_batch_goes_on(folder, checkpoint):
    (checkpoint / "offsets").mkdir()
    (checkpoint / "offsets" / "0").write_text("v1\n{}")
    assert PredictionSink(folder, checkpoint).folder == folder


REMEDY = f"Start over with: {command('reset')} (it moves both to earlier/)."


def refusal(folder, checkpoint):
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(OutputError) as caught:
        PredictionSink(folder, checkpoint)
    assert sorted(folder.parent.rglob("*")) == before
    return str(caught.value)


def test_predictions_whose_checkpoint_is_gone_are_refused(folder, checkpoint):
    write_batch(rows("t1"), folder, 0)
    (checkpoint / "metadata").unlink()
    assert (
        refusal(folder, checkpoint)
        == f"{folder} holds predictions, but their checkpoint {checkpoint} is gone. {REMEDY}"
    )


def test_a_checkpoint_whose_predictions_are_gone_is_refused(folder, checkpoint):
    (checkpoint / "commits" / "0").write_text("v1\n{}")
    expected = f"{folder} does not hold the predictions of the query of {checkpoint}. {REMEDY}"
    assert refusal(folder, checkpoint) == expected


def test_predictions_of_another_query_are_refused(folder, checkpoint):
    write_batch(rows("t1"), folder, 0)
    mark(folder, "q0")
    expected = f"{folder} does not hold the predictions of the query of {checkpoint}. {REMEDY}"
    assert refusal(folder, checkpoint) == expected


@pytest.mark.parametrize("left", ["batch_id=0/part-0.parquet", "_query.json"])
def test_predictions_in_the_format_of_an_earlier_version_are_refused(folder, checkpoint, left):
    (folder / left).parent.mkdir(parents=True)
    (folder / left).touch()
    expected = f"{folder} holds predictions in the format of an earlier version. {REMEDY}"
    assert refusal(folder, checkpoint) == expected
