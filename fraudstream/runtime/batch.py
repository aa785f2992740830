"""A Spark session for a batch job: the training and the backtest, in their own process."""

from pyspark import SparkConf
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from fraudstream.errors import RuntimeMissingError
from fraudstream.runtime.java import java_output_to
from fraudstream.runtime.spark import engine_options, is_local
from fraudstream.settings import Settings

BATCH_OPTIONS = {"spark.sql.shuffle.partitions": "4", "spark.driver.memory": "4g"}


def batch_session(settings: Settings, job: str) -> SparkSession:
    """Spark for ``job``, on this machine also where SPARK_MASTER is a cluster.

    A batch job takes about a minute, and the nodes may not see the folder that its model is in. Java's output goes to
    the log named after the job. Raises RuntimeMissingError if Spark does not start.
    """
    here = settings if is_local(settings) else settings.model_copy(update={"spark_master": "local[4]"})
    conf = SparkConf().setMaster(here.spark_master).setAppName(f"fraudstream {job}")
    conf.setAll(engine_options(here, BATCH_OPTIONS))
    log = here.logs / f"{job}.log"
    with java_output_to(log):
        try:
            return SparkSession.builder.config(conf=conf).getOrCreate()
        except PySparkRuntimeError as error:
            raise RuntimeMissingError(f"Spark does not start: the last lines of {log} say why.") from error
