"""Models as students save them, fitted on a small generated shop: other names, an indexer of the label, no "keep"."""

import json
import shutil
import zipfile
from pathlib import Path

from pyspark.ml import Model, Pipeline
from pyspark.ml.classification import GBTClassifier
from pyspark.ml.feature import OneHotEncoder, StringIndexer, VectorAssembler
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fraudstream.model import FOLDER, pack

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
    model.write().overwrite().save(folder.as_uri())
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
