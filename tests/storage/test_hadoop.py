"""Predictions and checkpoints on Hadoop file systems: Hadoop paths behave like pathlib's, with and without Spark."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from fraudstream.errors import OutputError, SettingsError
from fraudstream.run.reconcile import newest_predictions
from fraudstream.runtime.spark import LOCAL_CHECKPOINTS, engine_options
from fraudstream.settings import PROJECT, Settings, load_settings
from fraudstream.storage import hadoop
from fraudstream.storage.hadoop import REMEDY, HadoopPath
from fraudstream.stream.checkpoint import last_committed_batch
from fraudstream.stream.monitor import StreamMonitor
from fraudstream.stream.publish import write_batch
from fraudstream.stream.sink import PredictionSink, query_file
from fraudstream.stream.store import batch_files, read_batch

pytestmark = pytest.mark.usefixtures("spark")


@pytest.fixture
def disk(tmp_path):
    """The folder that the URI of ``shop`` names: it does not exist yet, and its name is not a pattern."""
    return tmp_path / "a shop [1] é"


@pytest.fixture
def shop(disk):
    return HadoopPath(f"file://{disk}")


def table(*ids, ts=0):
    columns = {"transaction_id": list(ids), "ts": pa.array([ts] * len(ids), pa.int32())}
    columns |= {"prediction": [1.0] * len(ids), "imputed": pa.array([["age"]] * len(ids), pa.list_(pa.string()))}
    return pa.table(columns)


def names(folder: Path) -> list[str]:
    """Everything below, without Hadoop's checksums."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != ".crc")


def test_what_is_written_is_read_back_in_pieces(shop, disk, monkeypatch):
    monkeypatch.setattr(hadoop, "PIECE", 4)
    (shop / "file").write_bytes(b"longer than what is there later")
    (shop / "file").write_text("neuf œufs\n")
    assert (shop / "file").read_text() == "neuf œufs\n" == (disk / "file").read_text()
    (shop / "file").write_bytes(b"")
    assert (shop / "file").read_bytes() == b""


def test_name_parent_and_text_are_those_of_the_uri():
    path = HadoopPath("s3a://bucket/shop") / "predictions"
    assert (str(path), path.name, path.parent) == (
        "s3a://bucket/shop/predictions",
        "predictions",
        HadoopPath("s3a://bucket/shop"),
    )


def test_glob_finds_the_children_whose_names_match(shop):
    assert list(shop.glob("*")) == []
    for name in ("batch_id=0", "batch_id=1", "_unfinished-2"):
        (shop / name).mkdir(parents=True)
    (shop / "batch_id=0" / "batch_id=9").mkdir()
    assert sorted(shop.glob("batch_id=*"), key=str) == [shop / "batch_id=0", shop / "batch_id=1"]


def test_mkdir_refuses_what_is_there_unless_that_is_fine(shop):
    shop.mkdir(parents=True)
    shop.mkdir(exist_ok=True)
    with pytest.raises(FileExistsError):
        shop.mkdir()


def test_a_missing_file_is_pathlibs_error(shop):
    assert not (shop / "missing").exists()
    with pytest.raises(FileNotFoundError):
        (shop / "missing").read_text()


def test_rename_moves_and_never_onto_something(shop, disk):
    (shop / "one" / "file").write_text("1")
    (shop / "one").rename(shop / "two")
    assert names(disk) == ["two", "two/file"]
    (shop / "one").mkdir()
    with pytest.raises(FileExistsError):
        (shop / "one").rename(shop / "two")
    assert names(disk) == ["one", "two", "two/file"]


def test_a_file_tells_when_it_was_written(shop):
    before = time.time()
    (shop / "file").write_text("1")
    assert before - 0.02 < (shop / "file").stat().st_mtime < time.time() + 0.02


def test_a_batch_that_is_there_is_final(shop, disk):
    assert write_batch(table("t1"), shop, 0)
    assert not write_batch(table("t2"), shop, 0)
    assert names(disk) == ["batch_id=0", "batch_id=0/part-0.parquet"]
    assert [read_batch(file, ["transaction_id"]).to_pydict() for file in batch_files(shop)] == [
        {"transaction_id": ["t1"]}
    ]


def test_a_batch_whose_writer_was_killed_before_the_rename_is_not_seen_and_is_written_anew(
    spark, tmp_path, monkeypatch
):
    predictions = HadoopPath(f"file://{tmp_path}/predictions")

    def killed(*paths):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(HadoopPath, "rename", killed)
        write_batch(table("lost"), predictions, 0)
    assert list(batch_files(predictions)) == []
    write_batch(table("t1"), predictions, 0)
    seen = spark.read.schema("transaction_id string").parquet(str(predictions))
    assert [row.transaction_id for row in seen.collect()] == ["t1"]


def test_a_directory_without_its_file_is_no_finished_batch(shop):
    """An object store looks like this when its copy of the file did not finish."""
    (shop / "batch_id=0").mkdir(parents=True)
    write_batch(table("t1"), shop, 1)
    assert list(batch_files(shop)) == [shop / "batch_id=1" / "part-0.parquet"]


def test_predictions_of_another_query_are_refused(shop):
    (shop / "checkpoint" / "metadata").write_text('{"id": "q1"}')
    query_file(shop / "predictions").write_text('{"query_id": "q0"}')
    write_batch(table("t1"), shop / "predictions", 0)
    with pytest.raises(OutputError, match="does not hold the predictions of the query"):
        PredictionSink(shop / "predictions", shop / "checkpoint")


@pytest.fixture
def stream(spark, shop, tmp_path):
    """A function that puts a file of one transaction before a query with sink and checkpoint on the storage."""
    session = spark.newSession()
    for option in LOCAL_CHECKPOINTS:
        session.conf.unset(option)
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    plain = HadoopPath(f"file://{tmp_path}/shop")  # Spark would take the brackets for a pattern
    predictions, checkpoint = plain / "predictions", plain / "checkpoints" / "predictions"

    def arrive(transaction_id):
        row = {"transaction_id": transaction_id, "ts": int(time.time()), "prediction": 0.0, "imputed": []}
        (incoming / f"{transaction_id}.json").write_text(json.dumps(row))
        schema = "transaction_id string, ts int, prediction double, imputed array<string>"
        writer = session.readStream.schema(schema).json(incoming.as_uri()).writeStream
        writer = writer.option("checkpointLocation", str(checkpoint)).trigger(availableNow=True)
        query = writer.foreachBatch(PredictionSink(predictions, checkpoint)).start()
        query.awaitTermination(60)
        return query

    arrive.predictions, arrive.checkpoint = predictions, checkpoint
    return arrive


def test_a_query_goes_on_from_its_checkpoint_on_the_storage(spark, stream):
    for transaction_id in ("t1", "t2"):
        query = stream(transaction_id)
    assert last_committed_batch(stream.checkpoint) == 1
    assert json.loads(query_file(stream.predictions).read_text()) == {"query_id": query.id}
    seen = spark.read.schema("transaction_id string, batch_id long").parquet(str(stream.predictions))
    assert sorted(map(tuple, seen.collect())) == [("t1", 0), ("t2", 1)]
    found = newest_predictions(stream.predictions)
    assert found.drop(columns="seconds").to_dict("index") == {
        "t1": {"prediction": 0.0, "imputed": False, "batch_id": 0, "model_version": None},
        "t2": {"prediction": 0.0, "imputed": False, "batch_id": 1, "model_version": None},
    }
    assert found.seconds.between(-0.1, 60).all()


def test_health_reads_the_storage(settings, shop):
    write_batch(pa.table({"topic": ["transactions"] * 2}), shop / "quarantine", 7)
    on_storage = settings.model_copy(update={"storage": str(shop)})
    facts = StreamMonitor(on_storage, {"bootstrap_servers": ["127.0.0.1:1"]}).refresh().facts
    assert facts["quarantined"] == "2"


def test_a_storage_that_cannot_be_reached_is_one_line():
    path = HadoopPath("nosuch://place/shop")
    with pytest.raises(OutputError) as caught:
        path.exists()
    assert str(caught.value) == (
        "nosuch://place/shop cannot be used: org.apache.hadoop.fs.UnsupportedFileSystemException: No FileSystem for "
        f'scheme "nosuch". {REMEDY}'
    )


@pytest.mark.parametrize("value", ["/mnt/shop", "hdfs:shop", "hdfs://", "C:\\shop"])
def test_a_value_that_is_no_uri_is_refused(value, monkeypatch):
    monkeypatch.setenv("FRAUDSTREAM_STORAGE", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == (
        f"FRAUDSTREAM_STORAGE={value!r}: Value error, no URI of a Hadoop file system, such as "
        "hdfs://namenode:8020/shop or s3a://bucket/shop."
    )


def test_only_predictions_quarantine_and_checkpoints_move(settings, monkeypatch):
    folders = ("predictions", "quarantine", "checkpoints", "reports", "logs", "notebooks", "broker_dir")
    here = {name: getattr(settings, name) for name in folders}
    assert all(path.is_relative_to(settings.output_dir) for path in here.values())
    monkeypatch.setenv("FRAUDSTREAM_STORAGE", "hdfs://namenode:8020/shop/")
    moved = load_settings(output_dir=settings.output_dir)
    assert {name: str(path) for name in folders if (path := getattr(moved, name)) != here[name]} == {
        name: f"hdfs://namenode:8020/shop/{name}" for name in ("predictions", "quarantine", "checkpoints")
    }
    assert moved.as_environment()["FRAUDSTREAM_STORAGE"] == "hdfs://namenode:8020/shop"


def test_checkpoints_on_a_storage_have_sparks_own_file_manager(settings):
    elsewhere = settings.model_copy(update={"storage": "hdfs://namenode:8020/shop"})
    assert dict(engine_options(settings)).items() - dict(engine_options(elsewhere)).items() == LOCAL_CHECKPOINTS.items()


# A file system that only core-site.xml knows, as a site's own would be: its root is the folder that it is given
CORE_SITE = """<configuration><property>
<name>fs.viewfs.mounttable.site.link./shop</name><value>file://{}</value>
</property></configuration>"""


def reset(tmp_path: Path, broker: str, uri: str) -> subprocess.CompletedProcess:
    """`python -m fraudstream reset`, in whose process no Spark runs."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "core-site.xml").write_text(CORE_SITE.format(tmp_path / "disk"))
    inherited = {name: value for name, value in os.environ.items() if name not in Settings.environment_names().values()}
    environment = inherited | {
        "FRAUDSTREAM_STORAGE": uri,
        "FRAUDSTREAM_OUTPUT_DIR": str(tmp_path / "output"),
        "KAFKA_BOOTSTRAP_SERVERS": broker,
        "HADOOP_CONF_DIR": str(tmp_path / "conf"),
    }
    command = [sys.executable, "-m", "fraudstream", "reset", "--empty-topics"]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60)


def test_reset_moves_results_aside_where_they_are(tmp_path, broker):
    for place in ("disk/predictions/batch_id=0", "disk/checkpoints", "output"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "output" / "reports.sqlite").touch()
    ended = reset(tmp_path, broker, "viewfs://site/shop")
    (time_,) = [path.name for path in (tmp_path / "disk" / "earlier").iterdir()]
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-2:] == [
        f"The results of the last replay have moved to viewfs://site/shop/earlier/{time_}.",
        f"The results of the last replay have moved to {tmp_path}/output/earlier/{time_}.",
    ]
    assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == ["earlier"]
    moved = ["checkpoints", "predictions", "predictions/batch_id=0"]
    assert names(tmp_path / "disk" / "earlier" / time_) == moved
    assert names(tmp_path / "output" / "earlier" / time_) == ["reports.sqlite"]


def test_reset_says_in_one_line_that_the_storage_is_not_known(tmp_path, broker):
    ended = reset(tmp_path, broker, "viewfs://other/shop")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith("OutputError: viewfs://other/shop/predictions cannot be used: java.io.IOException: ")
    assert ended.stderr.endswith(f"{REMEDY}\n")
