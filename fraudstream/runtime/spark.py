"""What every Spark session of the project needs beside what requirement 2.1 names: jars, log file, measured options."""

import os
from pathlib import Path

from fraudstream.runtime.jars import jars
from fraudstream.runtime.java import java
from fraudstream.settings import Settings

LOG4J = Path(__file__).with_name("log4j2.properties")

# Chosen by measurement on 2 cores: docs/measurements.md has the figures
STREAM_OPTIONS = {
    # each partition of each stateful step costs a task and a commit in every micro-batch, and a batch is 200 rows
    "spark.sql.shuffle.partitions": "1",
    # an empty micro-batch after each full one would only move the watermark: in update mode it emits nothing
    "spark.sql.streaming.noDataMicroBatches.enabled": "false",
    # generating code takes longer than 200 rows do: a quarter of a micro-batch and of its processor time
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    # what a filter tells of later columns is derived anew in every micro-batch, and doubles with each column that is an
    # expression of the filter: 2 to the power of 16 for a row's parsed strings
    "spark.sql.constraintPropagation.enabled": "false",
    # the state of an hour's events outgrows the heap; the changelog writes what changed, not all of it
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    # version 4 finds what has left the lookback by an index on time; 2 and 3 look at every remembered event in every
    # micro-batch. Spark 4.2 has it behind a switch, as its files may change: a checkpoint goes with this Spark version
    "spark.sql.streaming.join.stateFormatVersion": "4",
    "spark.sql.streaming.join.stateFormatV4.enabled": "true",
    # the reports list the predictions' directories: in the driver, not as a Spark job
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000000",
}

# On a disk a checkpoint file is a write and a rename; Spark's default starts programs (chmod, readlink) for each.
# Not for a Hadoop storage: where a micro-batch runs again, this class's rename finds an older file, which HDFS keeps,
# silently. The default's rename (FileContext) replaces it; for an object store spark-defaults.conf may name another.
LOCAL_CHECKPOINTS = {
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
    ),
}

# A cluster works on the partitions of a step at once, so a step has as many as there are cores (2.1: four). Executors
# know the file system's class by the path at which the driver has it: every node sees the project folder, or its image.
CLUSTER_OPTIONS = {
    "spark.cores.max": "4",
    "spark.sql.shuffle.partitions": "4",
    "spark.executor.memory": "1g",
}


def is_local(settings: Settings) -> bool:
    """Whether Spark runs in the notebook's own process and not on a cluster."""
    return settings.spark_master.startswith("local")


def engine_options(settings: Settings, more: dict[str, str] = STREAM_OPTIONS) -> list[tuple[str, str]]:
    """Options for SparkConf.setAll: jars, log file, memory, ports, and ``more``: what was measured to be fast.

    Raises RuntimeMissingError without Java 17 or newer, or when the jars can't be had.
    """
    java()  # a clear error before Spark's own
    if is_local(settings):
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    settings.logs.mkdir(parents=True, exist_ok=True)
    log = settings.logs / "spark.log"
    paths = [str(jar) for jar in jars("spark", settings.jars_dir)]
    # the file system's class is needed before spark.jars are
    file_system = os.pathsep.join(path for path in paths if "hadoop-bare-naked" in path)
    options = {
        "spark.jars": ",".join(paths),
        "spark.driver.extraClassPath": file_system,
        "spark.executor.extraClassPath": file_system,
        # 8 MB of stack: stopping a query in the middle of a batch overflowed the default in 36 of 55 stops
        "spark.driver.extraJavaOptions": (
            f'-Xss8m -XX:+UseParallelGC -Dlog4j2.configurationFile={LOG4J.as_uri()} "-Dfraudstream.log={log}"'
        ),
        "spark.driver.memory": "2g",
        "spark.ui.port": "0",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # Spark's own pattern, and Kafka's password, which stands in an option by this name
        "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|sasl[.]jaas[.]config",
        "spark.hadoop.fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
    }
    here = {} if settings.storage else LOCAL_CHECKPOINTS
    cluster = {} if is_local(settings) else CLUSTER_OPTIONS
    return list({**options, **here, **more, **cluster}.items())
