"""A saved pipeline's signature: the columns it takes, read stage by stage from its zip, before any Spark starts."""

import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from fraudstream.errors import ModelError
from fraudstream.model.metadata import Stage, spark_version, stage_data, stages

CATEGORY, NUMBER, TEXT, ANY = "category", "number", "text", "any"
REMEDY = "Save the model again."

# words for fraud in students' labels; the label at index 1 is what prediction = 1 means
FRAUD_LABELS = frozenset({"1", "1.0", "true", "t", "yes", "y", "fraud", "fraudulent", "is_fraud"})

_CLASSIFIER = re.compile(r"\w*(ClassificationModel|LogisticRegressionModel|NaiveBayesModel)")
_TAKES_NUMBERS = frozenset({"VectorAssembler", "ImputerModel", "Bucketizer", "Binarizer", "Interaction"})
_TAKES_TEXT = frozenset({"Tokenizer", "RegexTokenizer"})
# what a classifier, a regression or a clustering adds to a row, for a later stage to take
_PREDICTION_COLUMNS = ("predictionCol", "probabilityCol", "rawPredictionCol", "topicDistributionCol", "leafCol")
# handleInvalid of these cannot drop a row once their input columns are filled
_FILLED_BEFORE = frozenset({"StringIndexerModel", "OneHotEncoderModel", "VectorAssembler", "VectorSizeHint"})


@dataclass(frozen=True)
class ModelInput:
    """A column that the model takes from the stream.

    ``labels``: the categories it knows, by index, as it spells them; empty for a number. ``keeps``: it handles unknown
    values itself (handleInvalid="keep", an Imputer). ``fill_value``: otherwise, the label that replaces an unknown
    value. ``numeric``: a stage needs a number in it, whatever the kind.
    """

    column: str
    kind: str
    labels: tuple[str, ...] = ()
    keeps: bool = True
    fill_value: str | None = None
    numeric: bool = False


@dataclass(frozen=True)
class ModelSignature:
    """The columns that a model takes, the stages that use them (by position), and the meaning of its prediction 1."""

    path: Path
    spark: str
    inputs: tuple[ModelInput, ...]
    kept: tuple[int, ...]
    stages: tuple[str, ...]
    fraud_label: str

    @property
    def left_out(self) -> list[str]:
        """The stages that do not lead to the prediction, such as the indexer of the label."""
        return [name for position, name in enumerate(self.stages) if position not in self.kept]


def read_signature(path: Path, archive: zipfile.ZipFile, root: str) -> ModelSignature:
    """The signature of the vetted model in the zip; ``root``: the folder of metadata and stages in the zip.

    Raises ModelError for a model that is not a classifier, whose prediction 1 is not fraud, or with a stage that would
    drop a row or stop the stream.
    """
    found = stages(path, archive, root)
    end = _classifier(path, found)
    kept = _leading_to(found, end)
    return ModelSignature(
        path=path,
        spark=spark_version(path, archive, root),
        inputs=tuple(_inputs_of_model(path, archive, [found[position] for position in kept])),
        kept=tuple(kept),
        stages=tuple(f"{stage.kind} ({', '.join(_inputs(stage))})" for stage in found),
        fraud_label=_fraud_label(path, archive, found, found[end].params.get("labelCol")),
    )


def _inputs(stage: Stage) -> list[str]:
    return stage.columns("inputCols", "inputCol") or stage.columns("", "featuresCol")


def _outputs(stage: Stage) -> list[str]:
    """The columns that ``stage`` adds, those of a model within the pipeline included (KMeans, a first classifier)."""
    predicted = [stage.params[name] for name in _PREDICTION_COLUMNS if stage.params.get(name)]
    return stage.columns("outputCols", "outputCol") + predicted


def _classifier(path: Path, found: list[Stage]) -> int:
    """The position of the stage that predicts: the last classifier."""
    positions = [position for position, stage in enumerate(found) if _CLASSIFIER.fullmatch(stage.kind)]
    if not positions or "probabilityCol" not in found[positions[-1]].params:
        kinds = ", ".join(stage.kind for stage in found)
        raise ModelError(
            f"{path}: no stage predicts classes with a probability (stages: {kinds}). "
            "Use a random forest, gradient-boosted trees, or another such classifier of Spark ML."
        )
    return positions[-1]


def _leading_to(found: list[Stage], end: int) -> list[int]:
    """Positions of the stages whose output reaches the classifier at ``end``, and ``end``; the label's are left out."""
    wanted, kept = _folded(_inputs(found[end])), [end]
    for position in reversed(range(end)):
        made = _folded(_outputs(found[position]))
        if made & wanted:
            wanted = wanted - made | _folded(_inputs(found[position]))
            kept.append(position)
    return sorted(kept)


def _folded(columns: list[str]) -> set[str]:
    """Column names as Spark compares them."""
    return {column.casefold() for column in columns}


def _refuse_unsafe(path: Path, stage: Stage, made: set[str]) -> None:
    """Raises ModelError for a stage that may drop a row or fail at one although its input columns are filled.

    ``made``: the columns that earlier stages make; they are not filled.
    """
    if not _inputs(stage):
        raise ModelError(f"{path}: the input columns of {stage.kind} are unknown. Train the pipeline without it.")
    if stage.kind == "Bucketizer":
        every = stage.params.get("splitsArray") or [stage.params.get("splits", [])]
        ends = [float(splits[end]) for splits in every for end in (0, -1) if splits]
        if all(abs(end) == float("inf") for end in ends):
            return
        problem = "stops at a value outside its splits. Begin them with -inf and end them with inf"
    elif stage.params.get("handleInvalid", "keep") == "keep":
        return
    elif stage.kind in _FILLED_BEFORE and not (stage.kind == "StringIndexerModel" and made & _folded(_inputs(stage))):
        return
    else:
        problem = f"has handleInvalid={stage.params['handleInvalid']!r} and would drop rows. Train it with 'keep'"
    raise ModelError(f"{path}: {stage.kind} of {', '.join(_inputs(stage))} {problem}.")


def _inputs_of_model(path: Path, archive: zipfile.ZipFile, kept: list[Stage]) -> list[ModelInput]:
    """The columns that no earlier stage makes, with what the stages need of each."""
    made: set[str] = set()
    inputs: dict[str, ModelInput] = {}
    for stage in kept:
        _refuse_unsafe(path, stage, made)
        for position, column in enumerate(_inputs(stage)):
            key = column.casefold()
            if key not in made:
                taken = _input(path, archive, stage, position, column)
                inputs[key] = _both(inputs[key], taken) if key in inputs else taken
        made |= _folded(_outputs(stage))
    return list(inputs.values())


def _input(path: Path, archive: zipfile.ZipFile, stage: Stage, position: int, column: str) -> ModelInput:
    keeps = stage.params.get("handleInvalid") == "keep"
    if stage.kind == "StringIndexerModel":
        labels = _labels(path, archive, stage)[position]
        rarest_first = stage.params.get("stringOrderType") == "frequencyAsc"
        return ModelInput(column, CATEGORY, labels, keeps, labels[-1 if rarest_first else 0])
    if stage.kind == "OneHotEncoderModel":
        sizes = stage_data(path, archive, stage).get("categorySizes") or []
        if position >= len(sizes):
            raise ModelError(f"{path}: the category sizes of {stage.kind} of {column} are missing. {REMEDY}")
        labels = tuple(str(number) for number in range(sizes[position]))
        return ModelInput(column, CATEGORY, labels, False, "0", numeric=True)
    if stage.kind in _TAKES_NUMBERS:
        return ModelInput(column, NUMBER, keeps=keeps or stage.kind == "ImputerModel", numeric=True)
    if stage.kind in _TAKES_TEXT:
        return ModelInput(column, TEXT, keeps=False, fill_value="")
    return ModelInput(column, ANY)


def _both(one: ModelInput, other: ModelInput) -> ModelInput:
    """Merges the requirements of two stages on the same column."""
    first = min(one, other, key=lambda each: (CATEGORY, NUMBER, TEXT, ANY).index(each.kind))
    return replace(first, keeps=one.keeps and other.keeps, numeric=one.numeric or other.numeric)


def _labels(path: Path, archive: zipfile.ZipFile, stage: Stage) -> list[tuple[str, ...]]:
    """The labels of each column of a StringIndexerModel, by index. Spark before 3.0 saved those of one column."""
    data = stage_data(path, archive, stage)
    labels = data.get("labelsArray") or [data.get("labels")]
    if len(labels) != len(_inputs(stage)) or not all(labels):
        raise ModelError(f"{path}: the labels of {stage.kind} of {', '.join(_inputs(stage))} are missing. {REMEDY}")
    return [tuple(each) for each in labels]


def _fraud_label(path: Path, archive: zipfile.ZipFile, found: list[Stage], label_column: str | None) -> str:
    """The label that prediction = 1 means; empty when no stage of the pipeline makes the label: then 1 is fraud.

    Raises ModelError when it is not fraud: the reports would count honest transactions as frauds.
    """
    for stage in found:
        if stage.kind == "StringIndexerModel" and label_column in _outputs(stage):
            position = _outputs(stage).index(label_column)
            labels, column = _labels(path, archive, stage)[position], _inputs(stage)[position]
            one = labels[1] if len(labels) > 1 else None
            if str(one).strip().lower() not in FRAUD_LABELS:
                raise ModelError(
                    f"{path}: prediction = 1 means {column} = {one!r} (labels by index: {', '.join(labels)}), "
                    "not for fraud. Train it with stringOrderType='alphabetAsc' for the label, or with 0 and 1."
                )
            return f"{column} = {one!r}"
    return ""
