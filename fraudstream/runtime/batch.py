"""A Spark session for a batch job: the training and the backtest, in their own process."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import SparkConf
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from fraudstream.errors import Interrupted, RuntimeMissingError
from fraudstream.runtime.java import java_output_to
from fraudstream.runtime.spark import engine_options, is_local
from fraudstream.settings import Settings

BATCH_OPTIONS = {"spark.sql.shuffle.partitions": "4", "spark.driver.memory": "4g"}


@contextmanager
def batch_session(settings: Settings, job: str) -> Iterator[SparkSession]:
    """Spark for ``job``, on this machine also where SPARK_MASTER is a cluster.

    A batch job takes about a minute, and the nodes may not see the folder that its model is in. Java's output goes to
    the log named after the job. Raises RuntimeMissingError if Spark does not start, and
    Interrupted after Ctrl-C: nothing else is said, and Java ends with this process.
    """
    spark, interrupted = _started(settings, job), False
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)  # pyspark's own calls Java in the middle of a call
    try:
        yield spark
    except KeyboardInterrupt as error:
        interrupted = True
        raise Interrupted(f"Interrupted: the {job} has been stopped.") from error
    finally:
        if not interrupted:  # a call to Java after one that was broken off fails
            spark.stop()


def _started(settings: Settings, job: str) -> SparkSession:
    here = settings if is_local(settings) else settings.model_copy(update={"spark_master": "local[4]"})
    conf = SparkConf().setMaster(here.spark_master).setAppName(f"fraudstream {job}")
    conf.setAll(engine_options(here, BATCH_OPTIONS))
    log = here.logs / f"{job}.log"
    with java_output_to(log):
        try:
            return SparkSession.builder.config(conf=conf).getOrCreate()
        except PySparkRuntimeError as error:
            raise RuntimeMissingError(f"Spark does not start: the last lines of {log} say why.") from error
