"""Folders as people call them: Spark reads and writes in each, and starts from a clone in one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import StringIndexer

from fraudstream.errors import OutputError, SettingsError
from fraudstream.runtime.spark import engine_options
from fraudstream.settings import PROJECT
from fraudstream.storage.folders import writable
from fraudstream.storage.hadoop import HadoopPath, hadoop_glob, hadoop_path

NAMES = [
    "My Course",
    "Büro aus",
    "[S2] my shop",
    "a#b",
    "100% x%20y",
    "a,b",
    "a{b,c}",
    "a*b",
    "a?b",
    "it's",
    'a"b',
    "a\\b",
    "$HOME ${x}",
    "a;b&c~^",
]
SCHEMA = "a int, b string"
# a session in a clone with a difficult name; PATH has another python3 first, and variables name an older Spark
IN_A_CLONE = """
import sys
from pyspark import SparkConf
from pyspark.sql import SparkSession
from fraudstream.runtime.spark import engine_options
from fraudstream.settings import load_settings

settings = load_settings()
conf = SparkConf().setMaster("local[1]").setAppName("place").setAll(engine_options(settings, {}))
spark = SparkSession.builder.config(conf=conf).getOrCreate()
workers = spark.sparkContext.parallelize([1], 1).map(lambda one: __import__("sys").executable).collect()
connector = spark._jvm.org.apache.spark.sql.kafka010.KafkaSourceProvider().shortName()
print([workers == [sys.executable], connector, (settings.logs / "spark.log").is_file()])
spark.stop()
"""


@pytest.fixture(params=NAMES)
def place(request, tmp_path) -> Path:
    folder = tmp_path / request.param
    folder.mkdir()
    return folder


def test_spark_reads_and_writes_in_a_folder_of_any_name(spark, place):
    rows = spark.createDataFrame([(1, "x")], SCHEMA).coalesce(1)
    (place / "rows.csv").write_text("a,b\n1,x\n")
    assert spark.read.csv(hadoop_glob(place / "rows.csv"), SCHEMA, header=True).collect() == rows.collect()
    rows.write.parquet(hadoop_path(place / "parquet"))
    assert (place / "parquet" / "_SUCCESS").is_file()
    assert spark.read.parquet(hadoop_glob(place / "parquet")).collect() == rows.collect()


def test_a_model_is_saved_and_loaded_in_a_folder_of_any_name(spark, place):
    rows = spark.createDataFrame([(1, "x")], SCHEMA)
    Pipeline(stages=[StringIndexer(inputCol="b", outputCol="i")]).fit(rows).write().save(hadoop_path(place / "model"))
    assert (place / "model" / "metadata").is_dir()
    loaded = PipelineModel.load(hadoop_glob(place / "model"))
    assert loaded.transform(rows).collect() == [(1, "x", 0.0)]


def test_a_stream_reads_and_keeps_its_checkpoint_in_a_folder_of_any_name(spark, place):
    spark.createDataFrame([(1, "x")], SCHEMA).coalesce(1).write.parquet(hadoop_path(place / "parquet"))
    seen = []
    counted = spark.readStream.schema(SCHEMA).parquet(hadoop_glob(place / "parquet")).groupBy("a").count()
    writer = counted.writeStream.outputMode("update").trigger(availableNow=True)
    writer = writer.option("checkpointLocation", hadoop_path(place / "checkpoint"))
    query = writer.foreachBatch(lambda batch, batch_id: seen.extend(batch.collect())).start()
    query.awaitTermination()
    assert (seen, (place / "checkpoint" / "commits" / "0").is_file()) == ([(1, 1)], True)


def test_a_uri_stays_as_it_is_and_is_escaped_as_a_pattern():
    assert hadoop_path(HadoopPath("s3a://bucket/a b")) == "s3a://bucket/a b"
    assert hadoop_glob(HadoopPath("s3a://bucket/a[b]")) == "s3a://bucket/a\\[b\\]"


def test_a_session_starts_in_a_clone_of_any_name_with_its_own_python(tmp_path, settings):
    clone = tmp_path / "My Büro, #1 [S2] 100%20 {a}"
    shutil.copytree(PROJECT / "fraudstream", clone / "fraudstream")
    shutil.copytree(settings.jars_dir / "spark", clone / ".cache" / "jars" / "spark")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "bin" / "python3").chmod(0o755)
    older = {"SPARK_HOME": "/opt/spark-3.4", "PYSPARK_PYTHON": "python2", "PYTHONPATH": str(clone)}
    environment = {**os.environ, **older, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    command = [sys.executable, "-c", IN_A_CLONE]
    ended = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "[True, 'kafka', True]"


def test_jars_in_a_folder_that_a_cluster_cannot_fetch_from_are_refused(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("fraudstream.runtime.spark.jars", lambda name, folder, note: [folder / name / "one.jar"])
    comma = settings.model_copy(update={"jars_dir": tmp_path / "a,b", "spark_master": "spark://host:7077"})
    with pytest.raises(SettingsError, match=r"whose name contains ,\. Choose another folder\.$"):
        engine_options(comma)


def test_a_folder_below_a_file_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        writable(tmp_path / "file" / "output")
    assert str(caught.value) == (
        f"{tmp_path / 'file' / 'output'} cannot be written: a part of the path is a file. Fix its permissions, "
        "or choose another folder (FRAUDSTREAM_OUTPUT_DIR for results)."
    )
