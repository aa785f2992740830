"""Open a CSV of the shop: find it, check its header and encoding, and give its rows as strings.

Nothing is converted here: a value is the text that stands in the file (requirement 1.5).
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from fraudstream.errors import DataError
from fraudstream.schemas import FRAUD, FRAUD_WORDS, HONEST_WORDS

Row = dict[str, str]

# the same file goes by another name in some semesters
OTHER_NAMES = {"transactions.csv": "transaction.csv", "new_transaction.csv": "new_transactions.csv"}

HELP = "Rename it, or see data/README.md."


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
        raise DataError(f"{' and '.join(names)} are both in {data_dir}: keep the one that is meant, remove the other.")
    return found[0]


def check_header(path: Path, columns: Iterable[str]) -> list[str]:
    """The file's column names, after a check that all of ``columns`` are among them and that a row follows.

    The names come without a byte-order mark and without a leading '#' on the first; more columns are fine.
    Raises DataError when the file is missing, empty, not UTF-8, names a column twice, lacks one, or has no rows.
    """
    records = _records(path)
    names = _names(path, next(records, []))
    missing = [column for column in columns if column not in names]
    if missing:
        raise DataError(f"{path.name}: no column {', '.join(missing)} (found: {', '.join(names)}). {HELP}")
    if next(records, None) is None:
        raise DataError(f"{path.name}: has a header but no rows. Put the complete file in {path.parent}.")
    return names


def check_files(data_dir: Path, files: Mapping[str, Iterable[str]]) -> None:
    """A look at every file before anything starts: file name -> columns that must be there.

    Raises DataError for the first that is missing or as ``check_header`` says.
    """
    for name, columns in files.items():
        check_header(find(data_dir, name), columns)


def rows(path: Path, columns: Iterable[str]) -> Iterator[Row]:
    """The file's rows, one at a time, as {column: string} in the file's column order; extra columns are kept.

    The header is checked at once, each row when its turn comes.
    Raises DataError as ``check_header`` does, and for a row with too few or too many fields.
    """
    names = check_header(path, columns)
    return _rows(path, names)


def checked_rows(path: Path, columns: Iterable[str], reader: csv.DictReader) -> Iterator[Row]:
    """The rows of ``reader``, an open DictReader of ``path``; raises DataError as ``rows`` does."""
    names = check_header(path, columns)
    _ = reader.fieldnames  # reads the header line
    reader.fieldnames = names
    try:
        for number, row in enumerate(reader, start=1):
            if None in row or None in row.values():
                raise _wrong_length(path, number, names, len([*filter(None.__ne__, row.values())]))
            yield row
    except csv.Error as error:
        raise DataError(f"{path.name}: not a readable CSV ({error}). Check the quotes around its values.") from error


def frauds(path: Path) -> set[str]:
    """transaction_id of every row of fraud_transaction.csv (or new_fraud_transaction.csv) that says fraud.

    Raises DataError for an is_fraud that is spelt otherwise than FRAUD_WORDS and HONEST_WORDS.
    """
    found = set()
    for row in rows(path, FRAUD):
        word = row["is_fraud"].strip().lower()
        if word in FRAUD_WORDS:
            found.add(row["transaction_id"])
        elif word not in HONEST_WORDS:
            raise unknown_label(path, row["is_fraud"])
    return found


def truth(data_dir: Path) -> set[str] | None:
    """The frauds of the stream, as of ``frauds``; None where new_fraud_transaction.csv is not there."""
    path = data_dir / "new_fraud_transaction.csv"
    return frauds(path) if path.exists() else None


def unknown_label(path: Path, word: str) -> DataError:
    """The error for an is_fraud that cannot be read: taking it for honest would spoil a model without a word."""
    return DataError(f"{path.name}: is_fraud {word!r} cannot be read. Write it as True or False, or as 1 or 0.")


def _rows(path: Path, names: list[str]) -> Iterator[Row]:
    records = _records(path)
    next(records)
    for number, record in enumerate(records, start=1):
        if len(record) != len(names):
            raise _wrong_length(path, number, names, len(record))
        yield dict(zip(names, record, strict=True))


def _wrong_length(path: Path, number: int, names: list[str], found: int) -> DataError:
    return DataError(
        f"{path.name}, row {number}: {found} fields, the header has {len(names)} ({', '.join(names)}). "
        "Correct the row (commas inside a value need quotes around it)."
    )


def _records(path: Path) -> Iterator[list[str]]:
    """The lines of the CSV as lists of strings, blank lines left out; the first is the header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from (record for record in csv.reader(file, strict=True) if record)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name}: not UTF-8 (byte {error.object[error.start]:#04x} cannot be read). Save it as UTF-8."
        ) from error
    except csv.Error as error:
        raise DataError(f"{path.name}: not a readable CSV ({error}). Check the quotes around its values.") from error
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read ({error.strerror}): {path}.") from error


def _names(path: Path, record: list[str]) -> list[str]:
    if not record:
        raise DataError(f"{path.name}: is empty, it needs a header and rows. Put the complete file in {path.parent}.")
    names = [record[0].removeprefix("#").lstrip(), *record[1:]]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{path.name}: column {', '.join(twice)} stands twice in the header. {HELP}")
    return names
