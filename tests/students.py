"""Models as students save them, trained on a small generated shop: other names, a label indexer, no "keep"."""

import json
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

from pyspark.ml import Model, Pipeline, PipelineModel
from pyspark.ml.classification import GBTClassifier
from pyspark.ml.feature import OneHotEncoder, StringIndexer, VectorAssembler
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from fraudstream.data.frames import read_browsing, read_csv, read_labels, read_profiles
from fraudstream.features import batch_features
from fraudstream.model import FOLDER, SavedModel, pack
from fraudstream.model.columns import scoring_stages, with_model_columns
from fraudstream.schemas import STREAM_COLUMNS
from fraudstream.storage.hadoop import hadoop_glob, hadoop_path

CATEGORIES = ("time_of_day", "gender", "payment_status", "clear_payment", "payment_method")
NUMBERS = (
    "promo_amount",
    "shipment_fee",
    "shipment_location_lat",
    "shipment_location_long",
    "total_amount",
    "L1_ratio",
    "L2_ratio",
    "age",
    "first_join_year",
    "num_purchase",
)


def labelled_past(spark: SparkSession, data_dir: Path) -> DataFrame:
    """Eighty of a shop's past transactions, all frauds among them: features and is_fraud as 'True' or 'False'."""
    rows = batch_features(
        read_csv(spark, data_dir, "transactions.csv"),
        read_browsing(spark, data_dir, "browsing_behaviour.csv"),
        read_profiles(spark, data_dir),
    ).join(read_labels(spark, data_dir, "fraud_transaction.csv"), on="transaction_id", how="left")
    label = F.initcap(F.coalesce(F.col("is_fraud"), F.lit(False)).cast("string"))
    rows = rows.withColumn("is_fraud", label).orderBy(F.desc("is_fraud"), "transaction_id").limit(80)
    return spark.createDataFrame(rows.collect(), rows.schema)


def students_rows(features: DataFrame, is_fraud: str = "False") -> DataFrame:
    """Our features under the students' names, and is_fraud (string) filled in where there is none."""
    rows = features.withColumnsRenamed(
        {"l1_ratio": "L1_ratio", "l2_ratio": "L2_ratio", "num_purchases": "num_purchase"}
    )
    return rows if "is_fraud" in rows.columns else rows.withColumn("is_fraud", F.lit(is_fraud))


def students_pipeline(invalid: str = "skip", label: str | None = "is_fraud", **label_indexer: str) -> Pipeline:
    """Thirteen stages: an indexer for each category and the label, an encoder each, the assembler, boosted trees."""
    indexers = [StringIndexer(inputCol=name, outputCol=f"{name}_idx", handleInvalid=invalid) for name in CATEGORIES]
    if label:
        indexers.append(StringIndexer(inputCol=label, outputCol="label", handleInvalid=invalid, **label_indexer))
    encoders = [OneHotEncoder(inputCol=f"{name}_idx", outputCol=f"{name}_vec") for name in CATEGORIES]
    inputs = [*(f"{name}_vec" for name in CATEGORIES), *NUMBERS]
    assembler = VectorAssembler(inputCols=inputs, outputCol="features", handleInvalid=invalid)
    return Pipeline(stages=[*indexers, *encoders, assembler, GBTClassifier(maxIter=3, maxDepth=3, seed=1)])


def saved(model: Model, target: Path) -> Path:
    """``model`` zipped as ``target``, with the folder my_ML_model inside."""
    folder = target.with_suffix(".folder")
    model.write().overwrite().save(hadoop_path(folder))
    pack(folder, target)
    shutil.rmtree(folder)
    return target


def rewritten(source: Path, target: Path, change) -> Path:
    """The zip ``source`` as ``target``, each entry's (name, content) as ``change`` gives it; None leaves it out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            changed = change(info.filename, old.read(info))
            if changed is not None:
                new.writestr(*changed)
    return target


def with_metadata(source: Path, target: Path, stage: str, **values) -> Path:
    """``source`` with other values in the metadata of the stage whose name holds ``stage`` (empty: all)."""

    def change(name: str, content: bytes) -> tuple[str, bytes]:
        folder = f"{FOLDER}/stages/" if stage else f"{FOLDER}/metadata/"
        if name.startswith(folder) and stage in name and "/metadata/part-" in name:
            content = json.dumps({**json.loads(content), **values}).encode()
        return name, content

    return rewritten(source, target, change)


def at_the_door(path: Path, folder: Path) -> SimpleNamespace:
    """The notebook's view of a zip: the ``loaded`` model, its ``scoring`` stages, the ``matched`` columns."""
    saved = SavedModel.open(path)
    matched = saved.match(STREAM_COLUMNS)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(saved.fresh_folder(folder / "model"))
    loaded = PipelineModel.load(hadoop_glob(folder / "model" / FOLDER))
    return SimpleNamespace(loaded=loaded, scoring=scoring_stages(loaded, matched), matched=matched)


def predicted(door: SimpleNamespace, features: DataFrame) -> dict[str, Row]:
    """transaction_id -> row: the transaction, probability, prediction and imputed, as the stream computes them."""
    rows = door.scoring.transform(with_model_columns(features, door.matched))
    return {row.transaction_id: row for row in rows.select("row.*", "probability", "prediction", "imputed").collect()}


def own_probabilities(door: SimpleNamespace, features: DataFrame) -> dict[str, list[float]]:
    """transaction_id -> probability by PipelineModel.transform on these rows, with is_fraud filled in."""
    rows = door.loaded.transform(students_rows(features)).select("transaction_id", "probability")
    return dict(rows.collect())
