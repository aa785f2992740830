"""The shop's CSV files as strings: finding them, checking header and encoding, reading rows.

Nothing is converted here: a value is the file's own text (requirement 1.5).
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from fraudstream.data.encoding import check_encoding
from fraudstream.data.rules import PADDING, parse
from fraudstream.errors import DataError
from fraudstream.schemas import FRAUD

Row = dict[str, str]

# alternative file names of some semesters
OTHER_NAMES = {"transactions.csv": "transaction.csv", "new_transaction.csv": "new_transactions.csv"}

HELP = "Rename it, or see data/README.md."
# separators of other programs, with their names in messages
_SEPARATORS = {";": "';'", "\t": "a tab", "|": "'|'"}
# a longer value means an unclosed quote; Kafka would refuse such a row anyway
_LONGEST_VALUE = 16 << 20
csv.field_size_limit(_LONGEST_VALUE)


def find(data_dir: Path, name: str) -> Path:
    """The path of ``name`` (or of the other semester's name for it) in ``data_dir``.

    Raises DataError when neither is there, or both are.
    """
    names = [name, OTHER_NAMES[name]] if name in OTHER_NAMES else [name]
    found = [data_dir / each for each in names if (data_dir / each).is_file()]
    if not found:
        raise DataError(
            f"{' or '.join(names)}: not found in {data_dir}. Put it there, or set FRAUDSTREAM_DATA_DIR to its folder."
        )
    if len(found) > 1:
        raise DataError(f"{' and '.join(names)} are both in {data_dir}: keep the one you need, remove the other.")
    return found[0]


def check_header(path: Path, columns: Iterable[str]) -> list[str]:
    """The file's column names, after a check that all of ``columns`` are among them and that a row follows.

    Names are returned without byte-order mark, padding, and a leading '#' on the first; extra columns are accepted.
    Raises DataError when the file is missing, empty, not UTF-8, not separated by commas, escapes quotes by backslashes,
    names a column twice, lacks one, or has no rows.
    """
    quoting = check_encoding(path)
    records = _records(path)
    names = _names(path, next(records, []), columns)
    missing = [column for column in columns if column not in names]
    if missing:
        raise DataError(f"{path.name}: no column {', '.join(missing)} (found: {', '.join(names)}). {HELP}")
    if next((record for record in records if not is_blank(record)), None) is None:
        raise DataError(f"{path.name}: has a header but no rows. Put the complete file in {path.parent}.")
    if quoting.backslash_quotes:
        check_quotes(path, names)
    return names


def rows(path: Path, columns: Iterable[str]) -> Iterator[Row]:
    """The file's rows, one at a time, as {column: string} in the file's column order; extra columns are kept.

    The header is checked at once, each row when its turn comes. Rows without a value in any of
    ``columns`` are left out.
    Raises DataError as ``check_header`` does, and for a row with too few or too many fields.
    """
    names = check_header(path, columns)
    return _rows(path, names, columns)


def check_quotes(path: Path, names: list[str]) -> None:
    """Check every row's quotes and its number of fields.

    Raises DataError with the row: a quote that is escaped by a backslash or never closed makes one row of several.
    """
    for number, row in enumerate(_rows(path, names, names), start=1):
        for name, value in row.items():
            if '\\"' in value and "\n" in value.partition('\\"')[2]:
                raise DataError(
                    f"{path.name}, row {number}, {name}: a quote after a backslash joins rows. "
                    'Write a quote inside a value as "".'
                )


def header_length(path: Path) -> int:
    """The bytes of the header's lines, with their line ends; a name may hold a line break."""
    length = 0

    def lines(file: Iterable[str]) -> Iterator[str]:
        nonlocal length
        for line in file:
            length += len(line.encode())
            yield line

    with path.open(encoding="utf-8", newline="") as file:
        next(record for record in csv.reader(lines(file)) if record)
    return length


def is_blank(record: list[str]) -> bool:
    """Whether a row has no value at all: a blank line, or a comma-only row that Excel leaves at the end of a file."""
    return not any(value.strip(PADDING) for value in record)


def checked_rows(path: Path, columns: Iterable[str], reader: csv.DictReader) -> Iterator[Row]:
    """The rows of ``reader``, an open DictReader of ``path``; raises DataError as ``rows`` does."""
    names, columns = check_header(path, columns), list(columns)
    _ = reader.fieldnames  # reads the header line
    reader.fieldnames = names
    try:
        for number, row in enumerate(reader, start=1):
            if is_blank([row[column] or "" for column in columns]):
                continue
            if None in row or None in row.values():
                raise _wrong_length(path, number, names, sum(value is not None for value in row.values()))
            yield row
    except csv.Error as error:
        raise DataError(f"{path.name}: not a readable CSV ({error}). Check the quotes around its values.") from error


def frauds(path: Path) -> set[str]:
    """transaction_id of every row of fraud_transaction.csv (or new_fraud_transaction.csv) labelled as fraud.

    Raises DataError for an is_fraud that is neither true nor false (FRAUD_WORDS and HONEST_WORDS).
    """
    found = set()
    for row in rows(path, FRAUD):
        is_fraud = parse(row["is_fraud"], "boolean")
        if is_fraud is None:
            raise unknown_label(path, row["is_fraud"])
        if is_fraud:
            found.add(parse(row["transaction_id"], "string"))
    return found


def truth(data_dir: Path) -> set[str] | None:
    """The frauds of the stream, as in ``frauds``; None if new_fraud_transaction.csv does not exist."""
    path = data_dir / "new_fraud_transaction.csv"
    return frauds(path) if path.exists() else None


def unknown_label(path: Path, word: str) -> DataError:
    """The error for an unreadable is_fraud: treating it as honest would silently corrupt the model."""
    return DataError(f"{path.name}: is_fraud {word!r} cannot be read. Write it as True or False, or as 1 or 0.")


def _rows(path: Path, names: list[str], columns: Iterable[str]) -> Iterator[Row]:
    records = _records(path)
    next(records)
    places = [names.index(column) for column in columns]
    for number, record in enumerate(records, start=1):
        if is_blank([record[place] for place in places if place < len(record)]):
            continue
        if len(record) != len(names):
            raise _wrong_length(path, number, names, len(record))
        yield dict(zip(names, record, strict=True))


def _wrong_length(path: Path, number: int, names: list[str], found: int) -> DataError:
    return DataError(
        f"{path.name}, row {number}: {found} fields, the header has {len(names)} ({', '.join(names)}). "
        "Correct the row (commas inside a value need quotes around it)."
    )


def _records(path: Path) -> Iterator[list[str]]:
    """The lines of the CSV as lists of strings, without blank lines; the first is the header."""
    number = -1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for record in csv.reader(file, strict=True):
                if record:
                    number += 1
                    yield record
    except csv.Error as error:
        where = f", after row {number}" if number > 0 else ""
        raise DataError(
            f"{path.name}{where}: not a readable CSV ({error}). Check the quotes around its values; "
            'a quote inside a value is written "".'
        ) from error
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read ({error.strerror}): {path}.") from error


def _names(path: Path, record: list[str], columns: Iterable[str]) -> list[str]:
    """The header's names; a column without a name becomes unnamed_N."""
    if not record:
        raise DataError(f"{path.name}: is empty, it needs a header and rows. Put the complete file in {path.parent}.")
    names = [record[0].strip(PADDING).removeprefix("#"), *record[1:]]
    names = [name.strip(PADDING) or f"unnamed_{place}" for place, name in enumerate(names, start=1)]
    if names[0].lower().startswith("sep="):
        raise DataError(f"{path.name}: the first line, {record[0]!r}, is Excel's own. Delete it.")
    found = [said for sign, said in _SEPARATORS.items() if any(sign in name for name in names)]
    if found and not set(columns) <= set(names):
        raise DataError(
            f"{path.name}: the fields are separated by {found[0]}, not by commas. Save it as CSV with commas."
        )
    folded = Counter(name.lower() for name in names)
    twice = [name for name in dict.fromkeys(names) if folded[name.lower()] > 1]
    if twice:
        raise DataError(f"{path.name}: column {', '.join(twice)} is in the header twice. {HELP}")
    return names
