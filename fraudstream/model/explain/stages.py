"""The stages of a saved pipeline on numpy arrays, as Spark computes them on its columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fraudstream.model.metadata import Stage

FLOATS = ("double", "float")


@dataclass(frozen=True)
class Block:
    """A column on its way to the vector: doubles (rows x slots), or texts (rows x 1, object, None for none).

    ``sources``: the stream's column behind each slot. ``null``: rows x slots, where the value is null (as against NaN).
    ``type``: its Spark type, into which an Imputer casts what it fills in.
    """

    values: np.ndarray
    sources: tuple[str, ...]
    null: np.ndarray
    type: str = "double"


def labels_of(learnt: dict) -> list[list[str]]:
    """A StringIndexerModel's labels by index, one list per column."""
    return learnt.get("labelsArray") or [learnt["labels"]]


def _numbers(block: Block) -> np.ndarray:
    """The block's values as doubles; a text that is a number as this number."""
    if block.values.dtype != object:
        return block.values
    numbers = [np.nan if text is None else float(text) for text in block.values.ravel()]
    return np.array(numbers, dtype=float).reshape(block.values.shape)


def _made(values: np.ndarray, sources: tuple[str, ...]) -> Block:
    return Block(values, sources, np.zeros(values.shape, dtype=bool))


def _indexed(stage: Stage, learnt: dict, inputs: list[Block]) -> list[Block]:
    """StringIndexerModel: the label's index; what is no label gets the number of labels (keep)."""
    made = []
    for labels, block in zip(labels_of(learnt), inputs, strict=True):
        indices = {label: float(index) for index, label in reversed(list(enumerate(labels)))}
        texts = [None if value is None else str(value) for value in block.values.ravel().tolist()]
        values = np.array([indices.get(text, float(len(labels))) for text in texts])
        made.append(_made(values.reshape(-1, 1), block.sources))
    return made


def _one_hot(stage: Stage, learnt: dict, inputs: list[Block]) -> list[Block]:
    """OneHotEncoderModel: a slot per category, one more for the unknown (keep), one less (dropLast, the default)."""
    keeps, drops = stage.params.get("handleInvalid") == "keep", stage.params.get("dropLast", True)
    made = []
    for size, block in zip(learnt["categorySizes"], inputs, strict=True):
        index = _numbers(block)
        index = np.where((index >= 0) & (index < size), index, size)
        slots = np.arange(size + keeps - drops)
        made.append(_made((np.trunc(index) == slots).astype(float), block.sources * len(slots)))
    return made


def _imputed(stage: Stage, learnt: dict, inputs: list[Block]) -> list[Block]:
    """ImputerModel: a null or missingValue (default NaN) becomes the surrogate, cast to the column's type."""
    made, absent = [], float(stage.params.get("missingValue", "nan"))
    for name, block in zip(stage.columns("inputCols", "inputCol"), inputs, strict=True):
        surrogate = float(learnt[name])
        if block.type not in FLOATS:
            surrogate = float(int(surrogate))
        if block.type == "float":
            surrogate = float(np.float32(surrogate))
        values = _numbers(block)
        missing = block.null | (np.isnan(values) if np.isnan(absent) else values == absent)
        made.append(replace(_made(np.where(missing, surrogate, values), block.sources), type=block.type))
    return made


def _assembled(stage: Stage, learnt: dict, inputs: list[Block]) -> list[Block]:
    """VectorAssembler: all slots, one after the other; a null becomes NaN (keep)."""
    return [_made(np.hstack([_numbers(block) for block in inputs]), sum((block.sources for block in inputs), ()))]


def _binarized(stage: Stage, learnt: dict, inputs: list[Block]) -> list[Block]:
    """Binarizer: 1 above the threshold."""
    several = stage.params.get("thresholds") if stage.params.get("inputCols") else None
    limits = several or [stage.params.get("threshold", 0.0)] * len(inputs)
    return [
        _made((_numbers(block) > limit).astype(float), block.sources)
        for limit, block in zip(limits, inputs, strict=True)
    ]


def _bucketed(stage: Stage, learnt: dict, inputs: list[Block]) -> list[Block]:
    """Bucketizer: the number of the half-open bucket, the last one closed; NaN gets one more (keep)."""
    several = stage.params.get("splitsArray") or [stage.params["splits"]]
    made = []
    for splits, block in zip(several, inputs, strict=True):
        values, limits = _numbers(block), np.array([float(limit) for limit in splits])
        bucket = np.minimum(np.searchsorted(limits, values, side="right") - 1, len(limits) - 2)
        made.append(_made(np.where(np.isnan(values), len(limits) - 1, bucket).astype(float), block.sources))
    return made


def _standardised(stage: Stage, learnt: dict, inputs: list[Block]) -> list[Block]:
    """StandardScalerModel: less the mean (withMean), times 1 / standard deviation (withStd)."""
    (block,) = inputs
    values = block.values
    if stage.params.get("withMean", False):
        values = values - dense(learnt["mean"])
    if stage.params.get("withStd", True):
        spread = dense(learnt["std"])
        values = values * np.divide(1.0, spread, out=np.zeros_like(spread), where=spread != 0)
    return [_made(values, block.sources)]


def _vector_indexed(stage: Stage, learnt: dict, inputs: list[Block]) -> list[Block]:
    """VectorIndexerModel: the index of a category in the slots that it took for categories; others as they are."""
    (block,) = inputs
    values = block.values.copy()
    for slot, indices in learnt["categoryMaps"]:
        known = dict(indices)
        values[:, slot] = [known.get(value, len(known)) for value in block.values[:, slot].tolist()]
    return [_made(values, block.sources)]


def dense(vector: Mapping) -> np.ndarray:
    """A vector as Spark saves it in parquet: type 0 is sparse, 1 dense."""
    if vector["type"] == 1:
        return np.array(vector["values"], dtype=float)
    full = np.zeros(vector["size"])
    full[vector["indices"]] = vector["values"]
    return full


FOLLOWED: dict[str, Callable[[Stage, dict, list[Block]], list[Block]]] = {
    "StringIndexerModel": _indexed,
    "OneHotEncoderModel": _one_hot,
    "ImputerModel": _imputed,
    "VectorAssembler": _assembled,
    "Binarizer": _binarized,
    "Bucketizer": _bucketed,
    "StandardScalerModel": _standardised,
    "VectorIndexerModel": _vector_indexed,
    "VectorSizeHint": lambda stage, learnt, inputs: inputs,
}
