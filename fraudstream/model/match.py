"""Matches each column of the model with a column of the stream, and says how unknown values are replaced."""

from collections.abc import Mapping
from dataclasses import dataclass

from fraudstream.errors import ModelError, SettingsError
from fraudstream.model.aliases import normal, spellings
from fraudstream.model.signature import ANY, CATEGORY, NUMBER, TEXT, ModelInput, ModelSignature
from fraudstream.runtime.table import Table
from fraudstream.schemas import PARTS_OF_DAY

NUMERIC = frozenset({"int", "bigint", "double", "float", "smallint", "tinyint"})
# replaces a missing number that the model does not handle itself: the real shop's medians where they are known
# (customers, locations), otherwise 0
FILL_VALUES = {"age": 28, "first_join_year": 2018, "shipment_location_lat": -6.24, "shipment_location_long": 110.17}

HEADINGS = ("model's column", "our column", "type", "taken as", "vocabulary", "unknown value")


@dataclass(frozen=True)
class ColumnMatch:
    """A column of the model and its column of the stream, which has the Spark type ``type``."""

    input: ModelInput
    ours: str
    type: str

    @property
    def fill_value(self) -> str | float | None:
        """The replacement of a value that the model does not know; None if the model handles it itself."""
        if self.input.keeps:
            return None
        if self.input.labels or self.input.kind == TEXT:
            return self.input.fill_value
        return FILL_VALUES.get(self.ours, 0)

    @property
    def unlearnt_parts_of_day(self) -> list[str]:
        """Values of the stream's time_of_day that the model does not know, however it spells them."""
        spelt = {label.strip().lower() for label in self.input.labels}
        return [part for part in PARTS_OF_DAY if part not in spelt] if self.ours == "time_of_day" and spelt else []

    def row(self) -> tuple[str, ...]:
        """HEADINGS, as texts."""
        labels = ", ".join(self.input.labels[:8]) + (", …" if len(self.input.labels) > 8 else "")
        fill_value = (
            "unchanged"
            if self.fill_value is None
            else f"becomes {'empty text' if self.fill_value == '' else self.fill_value}"
        )
        return (
            self.input.column,
            self.ours,
            self.type,
            self.input.kind,
            labels,
            "" if self.input.kind == ANY else fill_value,
        )


@dataclass(frozen=True)
class ModelMatch:
    """A model whose columns are all in the stream. Shown as a table in Jupyter, as text elsewhere."""

    signature: ModelSignature
    columns: tuple[ColumnMatch, ...]
    # the metrics of the training: none of the frauds in the evaluation was found
    finds_no_fraud: bool = False

    @property
    def meaning(self) -> str:
        """The meaning of prediction = 1, in a sentence."""
        label = self.signature.fraud_label
        return f"prediction = 1 means {label}." if label else "prediction = 1 is fraud (the model has no label names)."

    def notes(self) -> list[str]:
        """Remarks below the table, one per line."""
        out = self.signature.left_out
        notes = [f"Saved by Spark {self.signature.spark}, {len(self.signature.stages)} stages. {self.meaning}"]
        if out:
            notes.append(f"Left out, because the prediction does not depend on them: {', '.join(out)}.")
        if any(pair.fill_value is None for pair in self.columns):
            notes.append('"unchanged": the model handles unknown values of this column itself.')
        if self.finds_no_fraud:
            notes.append("Warning: in training this model found no fraud at all (recall 0). Train it on more data.")
        for pair in self.columns:
            unlearnt = pair.unlearnt_parts_of_day
            if unlearnt:
                notes.append(f"{pair.input.column}: the model was trained without {', '.join(unlearnt)}.")
        return notes

    def rows(self) -> list[tuple[str, ...]]:
        """One row per column of the model: HEADINGS."""
        return [pair.row() for pair in self.columns]

    def table(self) -> Table:
        """The rows and notes as a table; in a page it is folded under how many columns are matched."""
        imputed = sum(pair.fill_value is not None for pair in self.columns)
        summary = f"All {len(self.columns)} input columns are matched; unknown values are imputed in {imputed} of them."
        return Table(HEADINGS, self.rows(), self.notes(), summary)

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def match(
    signature: ModelSignature, columns: Mapping[str, str], aliases: Mapping[str, str] | None = None
) -> ModelMatch:
    """Matches each column of the model with a column of the stream, by name.

    ``columns``: the stream's columns and their Spark types. ``aliases``: model's name -> stream's name, tried first.
    Raises ModelError that lists missing and available columns, or names a column whose type does not suit the model;
    SettingsError for an alias to a column that the stream does not have.
    """
    known = spellings(columns)
    for theirs, ours in (aliases or {}).items():
        if normal(ours) not in known:
            raise SettingsError(f"FRAUDSTREAM_ALIASES: {theirs}={ours}: no column {ours} ({', '.join(columns)}).")
        known[normal(theirs)] = known[normal(ours)]
    missing = [each.column for each in signature.inputs if normal(each.column) not in known]
    if missing:
        raise ModelError(
            f"{signature.path}: the model needs columns that the stream does not have: {', '.join(missing)}. "
            f"The stream has: {', '.join(columns)}. If a column has another name, set "
            f"FRAUDSTREAM_ALIASES={missing[0]}=<name in the stream>. "
            "Otherwise the model was trained for a different task."
        )
    pairs = [
        ColumnMatch(each, ours, columns[ours]) for each in signature.inputs for ours in [known[normal(each.column)]]
    ]
    for pair in pairs:
        _check_type(signature, pair)
    return ModelMatch(signature, tuple(pairs))


def _check_type(signature: ModelSignature, pair: ColumnMatch) -> None:
    """Raises ModelError when the type or the values of the stream's column do not suit the model."""
    wanted, name = pair.input, pair.input.column
    if wanted.numeric and pair.type not in NUMERIC:
        raise ModelError(
            f"{signature.path}: the model needs a number in {name}; the stream's {pair.ours} is {pair.type}."
        )
    if wanted.kind in (CATEGORY, NUMBER, TEXT) and pair.type not in NUMERIC | {"string"}:
        raise ModelError(
            f"{signature.path}: the model needs a {wanted.kind} in {name}; the stream's {pair.ours} is {pair.type}."
        )
    if len(pair.unlearnt_parts_of_day) == len(PARTS_OF_DAY):
        raise ModelError(
            f"{signature.path}: the model's {name} is one of {', '.join(wanted.labels)}; the stream's time_of_day is "
            f"one of {', '.join(PARTS_OF_DAY)}. Train it with these words."
        )
