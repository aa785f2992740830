"""The verdict on a scanned file: problems that stop a run, damage that may be tolerated, and notes."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fraudstream.data import csv_files
from fraudstream.data.check.relations import checkouts_after, checkouts_before
from fraudstream.data.check.result import BROWSING_FILES, REQUIRED, TIMES, TRANSACTION_FILES, Scan
from fraudstream.data.check.scan import scan
from fraudstream.data.rules import EXAMPLES
from fraudstream.errors import DataError
from fraudstream.schemas import FILES, OPTIONAL_FILES, PAST_FILES, STATIC_FILES, STREAM_FILES

PAIRS = dict(zip(TRANSACTION_FILES, BROWSING_FILES, strict=True))
NEEDED = {**STATIC_FILES, **STREAM_FILES}
# a larger share of unusable values in a column, or rows in a file, rejects the file
TOLERATED_SHARE = 0.01
UNIQUE = ("customer.csv", "product.csv", "category.csv")
# columns that the model's features come from
FOR_THE_MODEL = frozenset(
    {
        "gender",
        "birthdate",
        "first_join_date",
        "promo_amount",
        "shipment_fee",
        "shipment_location_lat",
        "shipment_location_long",
        "total_amount",
        "clear_payment",
        "payment_method",
        "payment_status",
    }
)


@dataclass(frozen=True)
class File:
    """A file's verdict, in lines that begin with its name.

    ``problems`` keep a run or a training from working; ``damage`` is over TOLERATED_SHARE, and a run with --tolerate
    accepts it; ``notes`` are worth knowing.
    """

    name: str
    scan: Scan | None = None
    problems: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def look_at(data_dir: Path, names: list[str], has_model: bool) -> list[File]:
    """The scan and the verdict of each of the files ``names``; with ``has_model``, files needed only for
    training may be missing."""
    scans: dict[str, Scan] = {}
    failed: dict[str, File] = {}
    for name in names:
        try:
            scans[name] = scan(data_dir, name, list(NEEDED.get(name) or PAST_FILES.get(name) or FILES[name]))
        except DataError as error:
            failed[name] = _missing(data_dir, name, has_model) or File(name, problems=(str(error),))
        else:
            labels = scans[name].found.get("is_fraud")
            if labels and labels.unreadable:
                error = csv_files.unknown_label(scans[name].path, labels.unreadable_text)
                failed[name] = File(name, problems=(str(error),))
    return [failed.get(name) or _verdict(scans[name], scans) for name in names]


def _missing(data_dir: Path, name: str, has_model: bool) -> File | None:
    """The verdict on a missing optional file; None for any other file."""
    there = any((data_dir / each).is_file() for each in (name, csv_files.OTHER_NAMES.get(name, name)))
    if there or name in NEEDED or (name in PAST_FILES and not has_model):
        return None
    why = "only needed for training" if name in PAST_FILES else "not needed"
    if name in OPTIONAL_FILES:
        why = "without it, precision and recall cannot be computed"
    return File(name, notes=(f"{name}: not there; {why}",))


def _verdict(found: Scan, scans: dict[str, Scan]) -> File:
    problems = [*_problems(found)]
    damage, notes = [], []
    for text, count, total in (*_unreadable(found), *_unusable(found, scans)):
        (damage if count > TOLERATED_SHARE * total else notes).append(text)
    notes += _notes(found, scans)
    lines = ([f"{found.path.name}{text}" for text in texts] for texts in (problems, damage, notes))
    return File(found.name, found, *map(tuple, lines))


def _problems(found: Scan) -> list[str]:
    """Problems that stop a run, regardless of the share of rows affected."""
    if not found.rows:
        return [f": has a header but no rows. Put the complete file in {found.path.parent}."]
    problems = []
    if found.name in UNIQUE and found.repeated_keys:
        problems.append(f": {found.repeated_keys:,} rows repeat a key: keep one row of each.")
    if found.name in STREAM_FILES:
        time = TIMES[found.name]
        column = found.found[time]
        if column.unreadable:
            problems.append(_first_unreadable(found, time))
        elif found.without_time:
            problems.append(f", row {found.without_time_row:,}: {time} is empty ({found.without_time:,} rows). Add it.")
        if found.unordered_row:
            problems.append(f": row {found.unordered_row:,} is earlier than the one before: sort the file by {time}.")
    if len(found.zones) > 1:
        zones = ", ".join(zone or "none" for zone in sorted(found.zones))
        problems.append(f": {TIMES[found.name]} has several time zones ({zones}): write all times in the shop's own.")
    return problems


def _first_unreadable(found: Scan, name: str) -> str:
    column, type_ = found.found[name], FILES[found.name][name]
    text = column.unreadable_text if len(column.unreadable_text) <= 60 else column.unreadable_text[:57] + "..."
    expected = EXAMPLES.get(type_, "a list of items with product_id and quantity")
    share = f"{column.unreadable:,} of {found.rows + found.blank_rows:,} rows"
    return f", row {column.unreadable_row:,}: {name} {text!r} is not {expected} ({share})."


def _unreadable(found: Scan) -> list[tuple[str, int, int]]:
    """Per column with unreadable values: text, their number, and the number of rows."""
    skipped = {TIMES[found.name]} if found.name in STREAM_FILES else set()
    return [
        (_first_unreadable(found, name), column.unreadable, found.rows)
        for name, column in found.found.items()
        if column.unreadable and name not in skipped
    ]


def _unusable(found: Scan, scans: dict[str, Scan]) -> list[tuple[str, int, int]]:
    """Other unusable rows: text, their number, and the number of rows."""
    unusable = []
    for name in REQUIRED.get(found.name, ()):
        empty = found.found[name].empty
        if empty and name != TIMES[found.name]:
            unusable.append((f": {name} is empty in {empty:,} of {found.rows:,} rows.", empty, found.rows))
    for name, column in found.found.items():
        if column.separators:
            text = f", row {column.separators_row:,}: {name} {column.separators_text!r} may have a thousands separator"
            text += f" ({column.separators:,} of {found.rows:,} rows). Write it without."
            unusable.append((text, column.separators, found.rows))
    if found.event_types:
        unknown = sum(found.event_types.values())
        named = _named(found.event_types)
        unusable.append(
            (f": {unknown:,} of {found.rows:,} events have no event type of the shop: {named}.", unknown, found.rows)
        )
    browsing = scans.get(PAIRS.get(found.name))
    late = checkouts_after(found, browsing) if browsing else 0
    if late:
        text = (
            f": {late:,} of {found.rows:,} transactions are earlier than the CO event of their session, which is "
            "then not counted. Keep the milliseconds of created_at."
        )
        unusable.append((text, late, found.rows))
    if found.name in STREAM_FILES and found.quarantined:
        text = f": {found.quarantined:,} of {found.rows:,} rows will be quarantined."
        unusable.append((text, found.quarantined, found.rows))
    return unusable


def _named(counts: Counter) -> str:
    return ", ".join(f"{value or '(empty)'} ({count:,})" for value, count in counts.most_common(5))


def _notes(found: Scan, scans: dict[str, Scan]) -> list[str]:
    notes = []
    browsing = scans.get(PAIRS.get(found.name))
    early = checkouts_before(found, browsing) if browsing else 0
    if early:
        notes.append(f": {early:,} of {found.rows:,} transactions are later than every CO event of their session.")
    if found.payment_states:
        other = sum(found.payment_states.values())
        named = _named(found.payment_states)
        notes.append(f": payment_status is neither Success nor Fail in {other:,} of {found.rows:,} rows: {named}.")
    if found.odd_quantities:
        notes.append(f": {found.odd_quantities:,} of {found.rows:,} carts have a quantity below 1.")
    if found.repeated_keys and found.name not in UNIQUE:
        notes.append(f": {found.repeated_keys:,} rows repeat a key; the first one is used.")
    if found.without_time and found.name not in STREAM_FILES:
        notes.append(f": {found.without_time:,} rows without a time.")
    if len(found.zones) == 1 and "" not in found.zones:
        notes.append(f": the time zone of {TIMES[found.name]} ({', '.join(found.zones)}) is ignored.")
    if found.blank_rows:
        notes.append(f": {found.blank_rows:,} rows without any value are ignored.")
    for name, column in found.found.items():
        if column.words:
            notes.append(f": {name} is {column.word!r} in {column.words:,} rows, read as empty.")
        if column.empty == found.rows and column.empty and name in FOR_THE_MODEL:
            notes.append(f": {name} is empty in all rows; the model's imputed value is used.")
    return notes
