"""A saved pipeline's metadata: one JSON object per stage, in the stage's folder ``metadata``.

Read from the zip before anything is loaded, because PipelineModel.load imports any class named there.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fraudstream.errors import ModelError
from fraudstream.storage.spark_environment import SPARK

_SPARK_ML = re.compile(r"(org\.apache\.spark\.ml|pyspark\.ml)(\.\w+)+")
_PIPELINE_MODEL = re.compile(r"(org\.apache\.spark\.ml|pyspark\.ml\.pipeline)\.PipelineModel")
_REFUSED = {
    # it could read files and call Java
    "SQLTransformer": "runs SQL of its own, so its input columns are unknown",
    "RFormulaModel": "uses a formula, so its input columns are unknown",
}
_TUNED = ("CrossValidatorModel", "TrainValidationSplitModel")
_VERSION = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True)
class Stage:
    """One stage of a saved pipeline: its class, its folder in the zip, and its parameters (set or default)."""

    uid: str
    kind: str
    folder: str
    params: dict

    def columns(self, many: str, one: str) -> list[str]:
        """The parameter ``many`` (such as inputCols), else ``one`` (inputCol) as a list, else an empty list."""
        several, single = self.params.get(many), self.params.get(one)
        return list(several or ([single] if single else []))


def check_classes(path: Path, archive: zipfile.ZipFile, root: str) -> None:
    """Raises ModelError for a stage whose class is not part of Spark ML; imports nothing."""
    for name in _metadata_files(archive, root):
        for line in _text(path, archive, name).splitlines():
            described = _parsed(path, name, line)
            kind = described["class"]
            if not _SPARK_ML.fullmatch(kind):
                raise ModelError(
                    f"{path}: {name} names the class {kind}. Only stages of Spark ML are loaded "
                    "(org.apache.spark.ml, pyspark.ml): loading any other would run its code."
                )
            refused = _REFUSED.get(kind.rpartition(".")[2])
            if refused:
                raise ModelError(f"{path}: {name} is a {kind}, which {refused}. Train the pipeline without it.")


def check_version(path: Path, archive: zipfile.ZipFile, root: str) -> None:
    """Raises ModelError for anything but a PipelineModel, or one of a Spark newer than the installed major.minor."""
    described = _described(path, archive, root)
    if not _PIPELINE_MODEL.fullmatch(described["class"]):
        raise ModelError(f"{path}: holds a {_kind(described)}, not a PipelineModel. Save what Pipeline.fit returned.")
    saved_by = str(described.get("sparkVersion"))
    found, own = _VERSION.match(saved_by), _VERSION.match(SPARK)
    if found is None:
        raise ModelError(f"{path}: {root}metadata does not say which Spark saved it (found: {saved_by}).")
    if tuple(map(int, found.groups())) > tuple(map(int, own.groups())):
        raise ModelError(
            f"{path}: saved by Spark {saved_by}, newer than the Spark {SPARK} that would load it. "
            f"Train it with Spark {SPARK} or older."
        )


def refuse_other_kinds(path: Path, archive: zipfile.ZipFile) -> None:
    """Raises ModelError, with the way to save the right thing, for a zip whose top folder holds another kind of model.

    Such as a tuned model, whose bestModel is the pipeline, or a classifier without the stages before it.
    """
    roots = {name.rpartition("metadata/")[0] for name in archive.namelist() if "metadata/" in name}
    root = min(roots, key=lambda each: (each.count("/"), each), default=None)
    if root is None or root.count("/") > 1:
        return
    kind = _kind(_described(path, archive, root))
    if kind in _TUNED and _kind(_described(path, archive, f"{root}bestModel/")) == "PipelineModel":
        remedy = 'Save its bestModel: model.bestModel.save("my_ML_model"). Then zip that folder'
    elif kind in _TUNED:
        remedy = "Tune a whole Pipeline, and save the bestModel of that"
    elif kind == "PipelineModel":
        return
    else:
        remedy = "Save it together with the stages that prepare its columns: what Pipeline.fit returned"
    raise ModelError(f"{path}: holds a {kind}, not a PipelineModel. {remedy}.")


def _kind(described: dict) -> str:
    return described["class"].rpartition(".")[2]


def spark_version(path: Path, archive: zipfile.ZipFile, root: str) -> str:
    """The version of the Spark that saved the model."""
    return str(_described(path, archive, root)["sparkVersion"])


def stages(path: Path, archive: zipfile.ZipFile, root: str) -> list[Stage]:
    """The pipeline's stages in order, with nested pipelines and tuned models flattened."""
    described = _described(path, archive, root)
    kind = described["class"].rpartition(".")[2]
    if kind in _TUNED:
        return stages(path, archive, f"{root}bestModel/")
    if kind != "PipelineModel":
        params = {**described.get("defaultParamMap", {}), **described.get("paramMap", {})}
        return [Stage(described["uid"], kind, root, params)]
    found = []
    for uid in described["paramMap"]["stageUids"]:
        folder = re.compile(rf"({re.escape(root)}stages/\d+_{re.escape(uid)}/)metadata/")
        matches = {match[1] for match in map(folder.match, archive.namelist()) if match}
        if len(matches) != 1:
            raise ModelError(f"{path}: the stage {uid} is not in {root}stages. Zip the whole folder again.")
        found += stages(path, archive, matches.pop())
    return found


def stage_data(path: Path, archive: zipfile.ZipFile, stage: Stage) -> dict:
    """The fitted data of ``stage``: the only row of its parquet, column -> value; empty for a stage without data."""
    prefix = f"{stage.folder}data/"
    for name in archive.namelist():
        if name.startswith(prefix) and name.endswith(".parquet") and not _hidden(name):
            try:
                table = pq.read_table(io.BytesIO(archive.read(name)))
            except pa.ArrowException as error:
                raise ModelError(f"{path}: {name} cannot be read as parquet ({error}).") from error
            if table.num_rows:
                return table.slice(0, 1).to_pylist()[0]
    return {}


def _described(path: Path, archive: zipfile.ZipFile, folder: str) -> dict:
    """The JSON object of the stage in ``folder``. Raises ModelError when it is missing or unreadable."""
    for name in _metadata_files(archive, folder):
        if name.startswith(f"{folder}metadata/"):
            lines = _text(path, archive, name).splitlines()
            if lines:
                return _parsed(path, name, lines[0])
    raise ModelError(f"{path}: {folder}metadata is empty. Zip the folder again, with all its files.")


def _metadata_files(archive: zipfile.ZipFile, root: str) -> Iterator[str]:
    """Every file that Spark would read as metadata: named metadata, or in a folder of that name, in any case."""
    for name in sorted(archive.namelist()):
        below = name.removeprefix(root).casefold().split("/")
        if name.startswith(root) and "metadata" in below and below[-1] and not _hidden(name):
            yield name


def _hidden(name: str) -> bool:
    """Whether Spark ignores a file of this name, such as _SUCCESS and checksums."""
    return name.rpartition("/")[2].startswith((".", "_"))


def _text(path: Path, archive: zipfile.ZipFile, name: str) -> str:
    try:
        return archive.read(name).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(
            f"{path}: {name} is not text. Save the model without compression, and zip it again."
        ) from error


def _parsed(path: Path, name: str, line: str) -> dict:
    try:
        described = json.loads(line)
    except ValueError as error:
        raise ModelError(f"{path}: {name} is not JSON ({error}). Zip the folder again.") from error
    if not isinstance(described, dict) or not isinstance(described.get("class"), str):
        raise ModelError(f"{path}: {name} names no class. Zip the folder again.")
    return described
