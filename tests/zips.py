"""Hand-made zips of models: metadata of saved pipelines, and labels of their indexers."""

import io
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FEATURE, CLASSIFICATION = "org.apache.spark.ml.feature", "org.apache.spark.ml.classification"
TREES = {
    "class": f"{CLASSIFICATION}.GBTClassificationModel",
    "paramMap": {"featuresCol": "features", "labelCol": "label", "probabilityCol": "probability"},
}


def assembler(*columns: str) -> dict:
    """A VectorAssembler of ``columns`` into features."""
    return {"class": f"{FEATURE}.VectorAssembler", "paramMap": {"inputCols": list(columns), "outputCol": "features"}}


ASSEMBLER = assembler("age")


def indexer(column: str, *labels: str, output: str = "", **params: str) -> dict:
    """A StringIndexerModel of ``column`` with ``labels``, in the order of their index."""
    own = {"inputCol": column, "outputCol": output or f"{column}_idx", "handleInvalid": "skip"}
    learnt = {"labelsArray": [[list(labels)]]}
    return {"class": f"{FEATURE}.StringIndexerModel", "paramMap": {**own, **params}, "learnt": learnt}


def entries(*stages: dict, root: str = "my_ML_model/", **pipeline: object) -> dict[str, str | bytes]:
    """Name -> content of each entry of a PipelineModel of ``stages``; ``pipeline``: its own values."""
    uids = [f"stage_{position}" for position in range(len(stages))]
    own = {"class": "org.apache.spark.ml.PipelineModel", "sparkVersion": "3.5.0", "uid": "pipeline"}
    found = {f"{root}metadata/part-00000": json.dumps({**own, "paramMap": {"stageUids": uids}, **pipeline})}
    for position, (uid, stage) in enumerate(zip(uids, stages, strict=True)):
        folder, said = f"{root}stages/{position}_{uid}", {"uid": uid, **stage}
        learnt = said.pop("learnt", None)
        found[f"{folder}/metadata/part-00000"] = json.dumps(said)
        if learnt:
            parquet = io.BytesIO()
            pq.write_table(pa.table(learnt), parquet)
            found[f"{folder}/data/part-00000.parquet"] = parquet.getvalue()
    return found


def write_zip(path: Path, contents: dict[str, str | bytes]) -> Path:
    """The zip ``path`` of these entries, compressed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def small_model(path: Path) -> Path:
    """A zip that passes all checks: boosted trees on the age."""
    return write_zip(path, entries(ASSEMBLER, TREES))
