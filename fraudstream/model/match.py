"""Which column of the stream each column of the model is, and what stands in for a value that it does not know."""

from collections.abc import Mapping
from dataclasses import dataclass

from fraudstream.errors import ModelError, SettingsError
from fraudstream.model.aliases import normal, spellings
from fraudstream.model.signature import ANY, CATEGORY, NUMBER, ModelInput, ModelSignature
from fraudstream.runtime.table import Table
from fraudstream.schemas import PARTS_OF_DAY

NUMERIC = frozenset({"int", "bigint", "double", "float", "smallint", "tinyint"})
# for a number that is missing where the model has no answer of its own: the real shop's medians where they are known
# (customers, places), else none of it
FILL_VALUES = {"age": 28, "first_join_year": 2018, "shipment_location_lat": -6.24, "shipment_location_long": 110.17}

HEADINGS = ("model's column", "our column", "type", "taken as", "vocabulary", "not known")


@dataclass(frozen=True)
class ColumnMatch:
    """A column of the model and the stream's column that it is, of Spark type ``type``."""

    input: ModelInput
    ours: str
    type: str

    @property
    def fill_value(self) -> str | float | None:
        """What stands in for a value that the model does not know; None where it has an answer of its own."""
        if self.input.keeps:
            return None
        return self.input.fill_value if self.input.labels else FILL_VALUES.get(self.ours, 0)

    @property
    def unlearnt_parts_of_day(self) -> list[str]:
        """Values of the stream's time_of_day that the model does not know, however it spells them."""
        spelt = {label.strip().lower() for label in self.input.labels}
        return [part for part in PARTS_OF_DAY if part not in spelt] if self.ours == "time_of_day" and spelt else []

    def row(self) -> tuple[str, ...]:
        """HEADINGS, as texts."""
        labels = ", ".join(self.input.labels[:8]) + (", …" if len(self.input.labels) > 8 else "")
        fill_value = "as it is" if self.fill_value is None else f"{self.fill_value} stands in"
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
    """A model whose every column the stream has. In Jupyter a table, elsewhere text."""

    signature: ModelSignature
    columns: tuple[ColumnMatch, ...]

    @property
    def meaning(self) -> str:
        """What prediction = 1 stands for, in a sentence."""
        label = self.signature.fraud_label
        return (
            f"prediction = 1 stands for {label}."
            if label
            else "prediction = 1 is fraud (the model holds no names of its labels)."
        )

    def notes(self) -> list[str]:
        """What is worth knowing beside the table."""
        out = self.signature.left_out
        notes = [f"Saved by Spark {self.signature.spark}, {len(self.signature.stages)} stages. {self.meaning}"]
        if out:
            notes.append(f"Left out, as they do not lead to the prediction: {', '.join(out)}.")
        if any(pair.fill_value is None for pair in self.columns):
            notes.append(
                'A value that is not known goes to the model "as it is" where the model has an answer of its own.'
            )
        for pair in self.columns:
            unlearnt = pair.unlearnt_parts_of_day
            if unlearnt:
                notes.append(f"{pair.input.column}: the model has never seen {', '.join(unlearnt)}.")
        return notes

    def rows(self) -> list[tuple[str, ...]]:
        """One row a column of the model: HEADINGS."""
        return [pair.row() for pair in self.columns]

    def table(self) -> Table:
        """The rows and notes as a table."""
        return Table(HEADINGS, self.rows(), self.notes())

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def match(
    signature: ModelSignature, columns: Mapping[str, str], aliases: Mapping[str, str] | None = None
) -> ModelMatch:
    """Each column of the model with the stream's that it is, by name.

    ``columns``: the stream's columns and their Spark types. ``aliases``: model's name -> stream's, before all else.
    Raises ModelError that lists what is missing beside what there is, or names a column of another type than the model
    wants; SettingsError for an alias to a column that the stream does not have.
    """
    known = spellings(columns)
    for theirs, ours in (aliases or {}).items():
        if normal(ours) not in known:
            raise SettingsError(f"FRAUDSTREAM_ALIASES: {theirs}={ours}: no column {ours} ({', '.join(columns)}).")
        known[normal(theirs)] = known[normal(ours)]
    missing = [each.column for each in signature.inputs if normal(each.column) not in known]
    if missing:
        raise ModelError(
            f"{signature.path}: the model wants columns that the stream does not have: {', '.join(missing)}. "
            f"The stream has: {', '.join(columns)}. If one goes by another name, say so: "
            f"FRAUDSTREAM_ALIASES={missing[0]}=<name in the stream>. Else the model is of another task."
        )
    pairs = [
        ColumnMatch(each, ours, columns[ours]) for each in signature.inputs for ours in [known[normal(each.column)]]
    ]
    for pair in pairs:
        _check_type(signature, pair)
    return ModelMatch(signature, tuple(pairs))


def _check_type(signature: ModelSignature, pair: ColumnMatch) -> None:
    """Raises ModelError when the stream's column cannot be what the model takes it for."""
    wanted, name = pair.input, pair.input.column
    if wanted.numeric and pair.type not in NUMERIC:
        raise ModelError(
            f"{signature.path}: the model wants a number in {name}; the stream's {pair.ours} is {pair.type}."
        )
    if wanted.kind in (CATEGORY, NUMBER) and pair.type not in NUMERIC | {"string"}:
        raise ModelError(
            f"{signature.path}: the model wants a {wanted.kind} in {name}; the stream's {pair.ours} is {pair.type}."
        )
    if len(pair.unlearnt_parts_of_day) == len(PARTS_OF_DAY):
        raise ModelError(
            f"{signature.path}: {name} of the model is one of {', '.join(wanted.labels)}; the stream's time_of_day is "
            f"one of {', '.join(PARTS_OF_DAY)}. Train it with these words."
        )
