"""Zips of models made by hand: what a saved pipeline says of itself, without what its stages have learnt."""

import json
import zipfile
from pathlib import Path

FEATURE, CLASSIFICATION = "org.apache.spark.ml.feature", "org.apache.spark.ml.classification"
ASSEMBLER = {"class": f"{FEATURE}.VectorAssembler", "paramMap": {"inputCols": ["age"], "outputCol": "features"}}
TREES = {
    "class": f"{CLASSIFICATION}.GBTClassificationModel",
    "paramMap": {"featuresCol": "features", "labelCol": "label", "probabilityCol": "probability"},
}


def entries(*stages: dict, root: str = "my_ML_model/", **pipeline: object) -> dict[str, str]:
    """Name -> content of each entry of a PipelineModel of ``stages``; ``pipeline``: its own values."""
    uids = [f"stage_{position}" for position in range(len(stages))]
    own = {"class": "org.apache.spark.ml.PipelineModel", "sparkVersion": "3.5.0", "uid": "pipeline"}
    found = {f"{root}metadata/part-00000": json.dumps({**own, "paramMap": {"stageUids": uids}, **pipeline})}
    for position, (uid, stage) in enumerate(zip(uids, stages, strict=True)):
        found[f"{root}stages/{position}_{uid}/metadata/part-00000"] = json.dumps({"uid": uid, **stage})
    return found


def write_zip(path: Path, contents: dict[str, str | bytes]) -> Path:
    """The zip ``path`` of these entries, compressed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def small_model(path: Path) -> Path:
    """A zip that passes the door: boosted trees on the age."""
    return write_zip(path, entries(ASSEMBLER, TREES))
