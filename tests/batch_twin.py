"""The batch twin of a stream: features and predictions of the same files, computed in one Spark job."""

import zipfile
from pathlib import Path

from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession

from fraudstream.data.frames import read_browsing, read_csv, read_profiles
from fraudstream.features import FEATURES, TRANSACTION_COLUMNS, batch_features
from fraudstream.storage.hadoop import hadoop_glob

VECTORS = ("rawPrediction", "probability")
COLUMNS = [*TRANSACTION_COLUMNS, *FEATURES, *VECTORS, "prediction"]


def features_of_new(spark: SparkSession, data_dir: Path) -> DataFrame:
    """The batch features of the files that Task 1 sends."""
    return batch_features(
        read_csv(spark, data_dir, "new_transaction.csv"),
        read_browsing(spark, data_dir, "new_browsing_behaviour.csv"),
        read_profiles(spark, data_dir),
    )


def batch_predictions(spark: SparkSession, data_dir: Path, model_zip: Path, folder: Path) -> dict[str, dict]:
    """COLUMNS of every new transaction of ``data_dir``, by transaction_id; the model is unpacked in ``folder``."""
    with zipfile.ZipFile(model_zip) as archive:
        archive.extractall(folder)
    scored = PipelineModel.load(hadoop_glob(folder / "my_ML_model")).transform(features_of_new(spark, data_dir))
    scored = scored.withColumns({name: vector_to_array(name) for name in VECTORS})
    scored = scored.select(*COLUMNS)
    return {row.transaction_id: row.asDict(recursive=True) for row in scored.collect()}
