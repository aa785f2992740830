"""The prediction sink: each micro-batch is visible once, complete or not at all, and bound to its query."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from shutil import copytree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fraudstream.errors import OutputError, command
from fraudstream.stream.publish import unfinished, write_batch
from fraudstream.stream.sink import PredictionSink, query_file
from fraudstream.stream.store import batch_file, batch_files, read_batch


def rows(*ids):
    return pa.table({"transaction_id": pa.array(ids, pa.string())})


def ids(spark, folder):
    """(transaction_id, batch_id) of every row that a reader sees."""
    return sorted(spark.read.schema("transaction_id string, batch_id long").parquet(str(folder)).collect())


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


def test_a_half_written_batch_is_not_seen_and_is_replaced(spark, folder, monkeypatch):
    def killed(*paths):
        raise KeyboardInterrupt

    write_batch(rows("t1"), folder, 0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", killed)
        write_batch(rows("lost"), folder, 1)
    (leftover,) = unfinished(folder).rglob("*.parquet")
    leftover.write_bytes(leftover.read_bytes()[:20])
    (leftover.parent / "part-1.parquet").touch()
    assert ids(spark, folder) == [("t1", 0)]
    write_batch(rows("t2"), folder, 1)
    assert ids(spark, folder) == [("t1", 0), ("t2", 1)]
    assert sorted(path.name for path in folder.rglob("*")) == ["batch_id=0", "batch_id=1", *["part-0.parquet"] * 2]


RACES = 500
both_ready = None


def _share(barrier):
    global both_ready
    both_ready = barrier


def _write_all(folder, writer):
    """Whether each batch was published by this writer: both begin each of them at the same moment."""
    published = []
    for batch_id in range(RACES):
        both_ready.wait(60)
        published.append(write_batch(rows(writer), folder, batch_id))
    return published


def test_two_writers_of_one_batch_publish_it_once_and_each_knows_who_did(folder):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, spawn, _share, (spawn.Barrier(2),)) as pool:
        first, second = (pool.submit(_write_all, folder, writer) for writer in ("first", "second"))
        published = list(zip(first.result(120), second.result(120), strict=True))
    assert all(sorted(each) == [False, True] for each in published)
    assert 20 < sum(by_first for by_first, _ in published) < RACES - 20, "the two must have raced"
    winners = [read_batch(batch_file(folder, n), ["transaction_id"])[0].to_pylist() for n in range(RACES)]
    assert winners == [["first"] if by_first else ["second"] for by_first, _ in published]
    assert list(unfinished(folder).iterdir()) == []


def test_a_damaged_file_is_named_with_the_remedy(folder):
    write_batch(rows("t1"), folder, 0)
    file = batch_file(folder, 0)
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(
        OutputError, match=rf"^{file} is damaged \(.*Parquet magic bytes not found.*Restore it, or start over"
    ):
        read_batch(file)


def test_a_copy_of_a_directory_under_another_name_is_no_batch(folder):
    write_batch(rows("t1"), folder, 0)
    copytree(batch_file(folder, 0).parent, folder / "batch_id=0 (copy)")
    assert list(batch_files(folder)) == [batch_file(folder, 0)]


def test_a_batch_is_one_file(spark, folder):
    write_batch(rows("t1"), folder, 7)
    assert [str(path.relative_to(folder)) for path in folder.rglob("*.*")] == ["batch_id=7/part-0.parquet"]


def test_an_empty_batch_writes_nothing(folder):
    assert not write_batch(rows(), folder, 0)
    assert not folder.exists()


def test_predicted_at_is_later_than_the_call_and_not_later_than_its_end(spark, folder, checkpoint):
    batch = spark.range(3).selectExpr("string(id) as transaction_id")
    before = datetime.now(timezone.utc)
    PredictionSink(folder, checkpoint)(batch, 0)
    stamps = pq.read_table(folder / "batch_id=0")["predicted_at"]
    assert stamps.type == pa.timestamp("us", tz="UTC")
    assert len(set(stamps.to_pylist())) == 1
    assert before < stamps[0].as_py() < datetime.now(timezone.utc)


def test_the_query_that_wrote_them_goes_on(spark, folder, checkpoint):
    batch = spark.range(1).selectExpr("string(id) as transaction_id")
    PredictionSink(folder, checkpoint)(batch, 0)
    (checkpoint / "commits" / "0").write_text("v1\n{}")
    PredictionSink(folder, checkpoint)(batch, 1)
    assert json.loads(query_file(folder).read_text()) == {"query_id": "q1"}
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
    query_file(folder).write_text('{"query_id": "q0"}')
    expected = f"{folder} does not hold the predictions of the query of {checkpoint}. {REMEDY}"
    assert refusal(folder, checkpoint) == expected
