"""Options of the project's Spark sessions in addition to requirement 2.1: jars, Python, log file, measured options."""

import os
from collections.abc import Sequence
from pathlib import Path

from fraudstream.errors import Note, SettingsError
from fraudstream.runtime.jars import jars
from fraudstream.runtime.java import java
from fraudstream.settings import Settings
from fraudstream.storage.folders import writable
from fraudstream.storage.spark_environment import use_own_spark

LOG4J = Path(__file__).with_name("log4j2.properties")

# Chosen by measurement on 2 cores: docs/measurements.md has the figures
STREAM_OPTIONS = {
    # each partition of each stateful step costs a task and a commit in every micro-batch, and a batch is 200 rows
    "spark.sql.shuffle.partitions": "1",
    # an empty micro-batch after each full one would only move the watermark: in update mode it emits nothing
    "spark.sql.streaming.noDataMicroBatches.enabled": "false",
    # the slower of the two topics moves the watermark (Spark's default, but exact results depend on it)
    "spark.sql.streaming.multipleWatermarkPolicy": "min",
    # generating code takes longer than processing 200 rows: a quarter of a micro-batch and of its CPU time
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    # what a filter tells of later columns is derived anew in every micro-batch, and doubles with each column that is an
    # expression of the filter: 2 to the power of 16 for a row's parsed strings
    "spark.sql.constraintPropagation.enabled": "false",
    # a filter on a message's rows shall not parse them a second time
    "spark.sql.optimizer.avoidDoubleFilterEval": "true",
    # words are compared in lower case: Java's is enough, ICU's takes a second to load in the first micro-batch
    "spark.sql.icu.caseMappings.enabled": "false",
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
CLUSTER_PYTHON = "python3"
CLUSTER_OPTIONS = {
    "spark.cores.max": "4",
    "spark.sql.shuffle.partitions": "4",
    "spark.executor.memory": "1g",
}


# Spark reads the jars of a cluster's executors as patterns and URIs, separated by commas
NOT_ON_A_CLUSTER = frozenset("#%,[]{}*?\\")


def is_local(settings: Settings) -> bool:
    """Whether Spark runs in the notebook's own process and not on a cluster."""
    return settings.spark_master.startswith("local")


def engine_options(
    settings: Settings, more: dict[str, str] = STREAM_OPTIONS, note: Note = print
) -> list[tuple[str, str]]:
    """Options for SparkConf.setAll: jars, log file, memory, ports, and ``more``: what was measured to be fast.

    Spark's workers get this process's Python, on a cluster that of FRAUDSTREAM_WORKER_PYTHON; variables of an older
    Spark are ignored, and ``note`` says so. Raises RuntimeMissingError without Java 17 or newer, or when the jars can't
    be had; SettingsError for a jars folder whose name Java cannot take; OutputError when no log can be written.
    """
    java()  # fail with a clear error before Spark does
    local = is_local(settings)
    use_own_spark("" if local else settings.worker_python or CLUSTER_PYTHON, note)
    if local:
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    options = {
        **_class_path(settings, jars("spark", settings.jars_dir, note)),
        "spark.driver.extraJavaOptions": _java_options(writable(settings.logs) / "spark.log"),
        "spark.driver.memory": "2g",
        "spark.ui.port": "0",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # Spark's own pattern, and Kafka's password, which is in an option of this name
        "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|sasl[.]jaas[.]config",
        "spark.hadoop.fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
    }
    here = {} if settings.storage else LOCAL_CHECKPOINTS
    cluster = {} if local else CLUSTER_OPTIONS
    return list({**options, **here, **more, **cluster}.items())


def _class_path(settings: Settings, paths: Sequence[Path]) -> dict[str, str]:
    """The options that bring the jars to driver and executors.

    The driver has them on its class path, which takes a folder of any name. ``spark.jars``, by which a cluster's
    executors fetch them, does not.
    """
    options = {"spark.driver.extraClassPath": os.pathsep.join(map(str, paths))}
    if is_local(settings):
        return options
    unusable = NOT_ON_A_CLUSTER.intersection(str(settings.jars_dir))
    if unusable:
        raise SettingsError(
            f"FRAUDSTREAM_JARS_DIR={settings.jars_dir}: a cluster cannot fetch jars from a folder whose name contains "
            f"{' '.join(sorted(unusable))}. Choose another folder."
        )
    # the file system's class is needed before spark.jars are
    file_system = os.pathsep.join(str(path) for path in paths if "hadoop-bare-naked" in path.name)
    return {**options, "spark.jars": ",".join(map(str, paths)), "spark.executor.extraClassPath": file_system}


def _java_options(log: Path) -> str:
    """Java's command line: stack size, collector, log4j's configuration, and the log file that it names."""
    return " ".join(
        (
            # 8 MB of stack: stopping a query during a batch overflowed the default in 36 of 55 stops
            "-Xss8m -XX:+UseParallelGC",
            _quoted(f"-Dlog4j2.configurationFile={LOG4J.as_uri()}"),
            _quoted(f"-Dfraudstream.log={log}"),
            # older logs are named by a pattern, in which a percent sign begins a conversion
            _quoted(f"-Dfraudstream.log.pattern={str(log).replace('%', '%%')}"),
        )
    )


def _quoted(option: str) -> str:
    """One option of spark.driver.extraJavaOptions, which Spark splits as a shell does."""
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
