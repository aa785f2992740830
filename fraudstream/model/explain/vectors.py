"""The feature vector that a saved pipeline makes of a scored row, without Spark, and the column behind each slot."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from fraudstream.errors import ModelError
from fraudstream.model.archive import model_root, opened
from fraudstream.model.explain.stages import FOLLOWED, Block, labels_of
from fraudstream.model.match import FILL_VALUES, NUMERIC, ColumnMatch, ModelMatch
from fraudstream.model.metadata import Stage, stage_data, stages


@dataclass(frozen=True)
class Encoder:
    """The fitted stages before the classifier; ``cannot``: why they are not supported, or ''."""

    matched: ModelMatch
    steps: tuple[tuple[Stage, dict], ...]
    features: str
    cannot: str = ""

    @classmethod
    def of(cls, matched: ModelMatch) -> "Encoder":
        """Reads the stages of ``matched``'s zip. Raises ModelError as ``opened`` and ``stages`` do."""
        path: Path = matched.signature.path
        with opened(path) as archive:
            *preparing, classifier = kept_stages(matched, archive)
            unknown = [stage.kind for stage in preparing if stage.kind not in FOLLOWED]
            if unknown:
                return cls(matched, (), "", f"the slots behind {unknown[0]} belong to no single column")
            steps = tuple((stage, stage_data(path, archive, stage)) for stage in preparing)
        return cls(matched, steps, classifier.params["featuresCol"])

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The stream's column behind each slot of the vector: all parts of a one-hot vector have the same one."""
        nothing = pa.table({pair.ours: pa.nulls(0) for pair in self.matched.columns})
        return self._block(nothing).sources

    @property
    def usual(self) -> dict[str, float | str]:
        """Typical training values that the pipeline itself has kept, by the stream's column.

        The surrogates of an Imputer (mean, median or mode), the first label of a StringIndexer by falling frequency.
        """
        found: dict[str, float | str] = {}
        ours = {pair.input.column.casefold(): pair.ours for pair in self.matched.columns}
        for stage, learnt in self.steps:
            for position, name in enumerate(stage.columns("inputCols", "inputCol")):
                column = ours.get(name.casefold())
                if column and stage.kind == "ImputerModel":
                    found[column] = learnt[name]
                if column and stage.kind == "StringIndexerModel" and _by_frequency(stage):
                    found[column] = labels_of(learnt)[position][0]
        return found

    def vectors(self, rows: pa.Table) -> np.ndarray:
        """Each row's feature vector (double, rows x slots), equal to Spark's.

        ``rows`` has the stream's columns of ``matched.columns``, of their types, as the predictions have them. A value
        that the model does not know is replaced as ``fraudstream.model.columns`` does it. Raises ModelError for rows
        without one of the columns.
        """
        return self._block(rows).values

    def reference(self, usual: Mapping[str, float | str | None]) -> np.ndarray:
        """The vector of a row of ``usual`` values; a number without one is match.FILL_VALUES', else 0."""
        values = {}
        for pair in self.matched.columns:
            known = usual.get(pair.ours)
            typical = (pair.input.labels or (None,))[0] if pair.type == "string" else FILL_VALUES.get(pair.ours, 0)
            values[pair.ours] = pa.array([typical if known is None else known])
        return self.vectors(pa.table(values))[0]

    def _block(self, rows: pa.Table) -> Block:
        missing = [pair.ours for pair in self.matched.columns if pair.ours not in rows.column_names]
        if missing:
            raise ModelError(f"{self.matched.signature.path}: rows to explain lack {', '.join(missing)}.")
        blocks = {pair.input.column.casefold(): _given(pair, rows.column(pair.ours)) for pair in self.matched.columns}
        for stage, learnt in self.steps:
            inputs = stage.columns("inputCols", "inputCol")
            made = FOLLOWED[stage.kind](stage, learnt, [blocks[name.casefold()] for name in inputs])
            outputs = stage.columns("outputCols", "outputCol")
            blocks |= {name.casefold(): block for name, block in zip(outputs, made, strict=True)}
        return blocks[self.features.casefold()]


def kept_stages(matched: ModelMatch, archive: zipfile.ZipFile) -> list[Stage]:
    """The stages that lead to the prediction, the classifier last."""
    path = matched.signature.path
    found = stages(path, archive, model_root(path, archive))
    return [found[position] for position in matched.signature.kept]


def _given(pair: ColumnMatch, column: pa.ChunkedArray) -> Block:
    """The model's input for ``pair``; same as ``_value`` in fraudstream.model.columns, compared in a test."""
    taken, sources = pair.input, (pair.ours,)
    if taken.labels:
        texts = [_known(pair, value) for value in column.to_pylist()]
        null = np.array([[text is None] for text in texts], dtype=bool).reshape(-1, 1)
        return Block(np.array(texts, dtype=object).reshape(-1, 1), sources, null, "string")
    null = column.is_null().to_numpy().reshape(-1, 1)
    if pair.type not in NUMERIC:
        return Block(np.array(column.to_pylist(), dtype=object).reshape(-1, 1), sources, null, pair.type)
    values = column.cast(pa.float64(), safe=False).to_numpy().reshape(-1, 1)
    if pair.fill_value is not None:
        values, null = np.where(np.isnan(values), float(pair.fill_value), values), np.zeros_like(null)
    return Block(values, sources, null, pair.type)


def _known(pair: ColumnMatch, value: object) -> str | None:
    """The model's spelling of ``value``; the replacement for an unknown one, or its text."""
    labels = pair.input.labels
    text = None if value is None else _text(value)
    normals = [_normal(label, pair.type) for label in labels]
    if set(normals) == {"true", "false"} and pair.type in NUMERIC:
        normals = [{"true": "1", "false": "0"}[each] for each in normals]
    if text in labels and len(set(normals)) < len(normals):
        return text  # labels that differ in capitals only
    spelt = text.strip(" ").lower() if text is not None else None
    if spelt in normals:
        return labels[normals.index(spelt)]
    return text if pair.fill_value is None else str(pair.fill_value)


def _text(value: object) -> str:
    """``value`` as Spark casts it to a string, a whole double like 1.0 as 1."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _normal(label: str, type_: str) -> str:
    """``label`` without what makes no difference; a number like 1.0 as 1 where the stream's column is a number."""
    text = label.strip().lower()
    try:
        return _text(float(text)) if type_ in NUMERIC else text
    except ValueError:
        return text


def _by_frequency(stage: Stage) -> bool:
    return stage.params.get("stringOrderType", "frequencyDesc") == "frequencyDesc"
