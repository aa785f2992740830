"""Which column of the stream each column of the model is, and what stands in for a value that it does not know."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from fraudstream.errors import ModelError, SettingsError
from fraudstream.model.names import normal, spellings
from fraudstream.model.needs import ANY, CATEGORY, NUMBER, Need, Needs

NUMERIC = frozenset({"int", "bigint", "double", "float", "smallint", "tinyint"})
# for a number that is missing where the model has no answer of its own: the real shop's medians where they are known
# (customers, places), else none of it
STAND_INS = {"age": 28, "first_join_year": 2018, "shipment_location_lat": -6.24, "shipment_location_long": 110.17}
PARTS_OF_DAY = ("morning", "afternoon", "evening", "night")

HEADINGS = ("model's column", "our column", "type", "taken as", "vocabulary", "not known")


@dataclass(frozen=True)
class Pair:
    """A column of the model and the stream's column that it is, of Spark type ``type``."""

    need: Need
    ours: str
    type: str

    @property
    def stand_in(self) -> str | float | None:
        """What stands in for a value that the model does not know; None where it has an answer of its own."""
        if self.need.keeps:
            return None
        return self.need.stand_in if self.need.labels else STAND_INS.get(self.ours, 0)

    @property
    def unlearnt_parts_of_day(self) -> list[str]:
        """Values of the stream's time_of_day that the model does not know, however it spells them."""
        spelt = {label.strip().lower() for label in self.need.labels}
        return [part for part in PARTS_OF_DAY if part not in spelt] if self.ours == "time_of_day" and spelt else []

    def row(self) -> tuple[str, ...]:
        """HEADINGS, as texts."""
        labels = ", ".join(self.need.labels[:8]) + (", …" if len(self.need.labels) > 8 else "")
        stand_in = "the model has its own answer" if self.stand_in is None else f"{self.stand_in} stands in"
        return (
            self.need.column,
            self.ours,
            self.type,
            self.need.kind,
            labels,
            "" if self.need.kind == ANY else stand_in,
        )


@dataclass(frozen=True)
class Matched:
    """A model whose every column the stream has. In Jupyter a table, elsewhere text."""

    needs: Needs
    pairs: tuple[Pair, ...]

    @property
    def meaning(self) -> str:
        """What prediction = 1 stands for, in a sentence."""
        label = self.needs.fraud_label
        return (
            f"prediction = 1 stands for {label}."
            if label
            else "prediction = 1 is fraud (the model holds no names of its labels)."
        )

    def notes(self) -> list[str]:
        """What is worth knowing beside the table."""
        out = self.needs.left_out
        notes = [f"Saved by Spark {self.needs.spark}, {len(self.needs.stages)} stages. {self.meaning}"]
        if out:
            notes.append(f"Left out, as they do not lead to the prediction: {', '.join(out)}.")
        for pair in self.pairs:
            unlearnt = pair.unlearnt_parts_of_day
            if unlearnt:
                notes.append(f"{pair.need.column}: the model has never seen {', '.join(unlearnt)}.")
        return notes

    def rows(self) -> list[tuple[str, ...]]:
        """One row a column of the model: HEADINGS."""
        return [pair.row() for pair in self.pairs]

    def __repr__(self) -> str:
        table = [HEADINGS, *self.rows()]
        widths = [max(len(row[column]) for row in table) for column in range(len(HEADINGS))]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in table
        ]
        return "\n".join([*lines, *self.notes()])

    def _repr_html_(self) -> str:
        body = "".join(_line(row, "td") for row in self.rows())
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes())
        return f"<table><thead>{_line(HEADINGS, 'th')}</thead><tbody>{body}</tbody></table>{notes}"


def match(needs: Needs, columns: Mapping[str, str], aliases: Mapping[str, str] | None = None) -> Matched:
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
    missing = [need.column for need in needs.columns if normal(need.column) not in known]
    if missing:
        raise ModelError(
            f"{needs.path}: the model wants columns that the stream does not have: {', '.join(missing)}. "
            f"The stream has: {', '.join(columns)}. If one goes by another name, say so: "
            f"FRAUDSTREAM_ALIASES={missing[0]}=<name in the stream>. Else the model is of another task."
        )
    pairs = [Pair(need, ours, columns[ours]) for need in needs.columns for ours in [known[normal(need.column)]]]
    for pair in pairs:
        _check_type(needs, pair)
    return Matched(needs, tuple(pairs))


def _check_type(needs: Needs, pair: Pair) -> None:
    """Raises ModelError when the stream's column cannot be what the model takes it for."""
    need, name = pair.need, pair.need.column
    if need.numeric and pair.type not in NUMERIC:
        raise ModelError(f"{needs.path}: the model wants a number in {name}; the stream's {pair.ours} is {pair.type}.")
    if need.kind in (CATEGORY, NUMBER) and pair.type not in NUMERIC | {"string"}:
        raise ModelError(
            f"{needs.path}: the model wants a {need.kind} in {name}; the stream's {pair.ours} is {pair.type}."
        )
    if len(pair.unlearnt_parts_of_day) == len(PARTS_OF_DAY):
        raise ModelError(
            f"{needs.path}: {name} of the model is one of {', '.join(need.labels)}; the stream's time_of_day is one of "
            f"{', '.join(PARTS_OF_DAY)}. Train it with these words."
        )


def _line(texts: Iterable[str], tag: str) -> str:
    cells = (f'<{tag} style="text-align:left">{escape(text)}</{tag}>' for text in texts)
    return f"<tr>{''.join(cells)}</tr>"
