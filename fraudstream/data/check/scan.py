"""One pass over a CSV of the shop, block by block: rows, times, order, keys, and what cannot be read.

Memory holds a block and the keys.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from fraudstream.data import csv_files, rules
from fraudstream.data.check.columns import TYPES, Values, parse_block, readable_carts
from fraudstream.data.encoding import check_encoding
from fraudstream.errors import DataError
from fraudstream.schemas import BROWSING_KEYS, FILES, LEVELS, TRANSACTION, TRANSACTION_KEYS

TIMES = {name: next((c for c, type_ in schema.items() if type_ == "timestamp"), None) for name, schema in FILES.items()}
KEYS = {
    "category.csv": "category_id",
    "customer.csv": "customer_id",
    "product.csv": "id",
    "customer_session.csv": "session_id",
    "transactions.csv": "transaction_id",
    "new_transaction.csv": "transaction_id",
    "fraud_transaction.csv": "transaction_id",
    "new_fraud_transaction.csv": "transaction_id",
}
BROWSING_FILES = ("browsing_behaviour.csv", "new_browsing_behaviour.csv")
TRANSACTION_FILES = ("transactions.csv", "new_transaction.csv")
# the files whose rows become messages, or the past of them: without a value in these columns a row is quarantined
REQUIRED = dict.fromkeys(BROWSING_FILES, BROWSING_KEYS) | dict.fromkeys(TRANSACTION_FILES, TRANSACTION_KEYS)
EVENT_TYPES = frozenset(code for codes in LEVELS.values() for code in codes)

_BLOCK = 16 << 20
_PRODUCT = re.compile(rb"""['"]product_id['"]\s*:\s*(\d{1,18})\b""")


@dataclass
class Column:
    """What was found in a column: rows without a value, with a word such as NULL for it, and with an unreadable text
    (their number and the first of each)."""

    empty: int = 0
    words: int = 0
    word: str = ""
    unreadable: int = 0
    unreadable_row: int = 0
    unreadable_text: str = ""


@dataclass
class Scan:
    """What one pass over a file found. Times are in microseconds; ``carts``: (row, product_id) of items.

    ``quarantined_rows``: numbers of the rows that the stream puts into quarantine. ``checkouts``: session and time of
    CO events.
    """

    name: str
    path: Path
    columns: list[str] = field(default_factory=list)
    rows: int = 0
    blank_rows: int = 0
    first_us: int | None = None
    last_us: int | None = None
    unordered_row: int | None = None
    without_time: int = 0
    without_time_row: int = 0
    quarantined_rows: list[np.ndarray] = field(default_factory=list)
    zones: set[str] = field(default_factory=set)
    found: dict[str, Column] = field(default_factory=dict)
    kept: dict[str, list[pa.Array]] = field(default_factory=dict)
    times_us: list[np.ndarray] = field(default_factory=list)
    carts: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    event_types: Counter = field(default_factory=Counter)
    checkouts: list[pa.Table] = field(default_factory=list)

    def values(self, column: str) -> pa.ChunkedArray:
        """All values of a column that was kept, typed; the sessions of a browsing file each once."""
        values = pa.chunked_array(self.kept[column], TYPES[FILES[self.name][column]])
        return pa.chunked_array([pc.unique(values)]) if self.name in BROWSING_FILES else values

    @property
    def quarantined(self) -> int:
        """How many rows the stream puts into quarantine."""
        return sum(map(len, self.quarantined_rows))

    @cached_property
    def repeated_keys(self) -> int | None:
        """How many rows have a key that a row before has; None for a file without a key."""
        key = KEYS.get(self.name)
        if key is None:
            return None
        values = pc.drop_null(self.values(key))
        return len(values) - pc.count_distinct(values).as_py()


def scan(data_dir: Path, name: str, columns: list[str]) -> Scan:
    """Reads the file once. Raises DataError when it is missing, lacks one of ``columns``, or has an unreadable row."""
    path = csv_files.find(data_dir, name)
    result = Scan(name, path, csv_files.check_header(path, columns))
    if check_encoding(path).quotes:
        csv_files.check_quotes(path, result.columns)
    types = {column: type_ for column, type_ in FILES[name].items() if column in result.columns}
    result.found = {column: Column() for column in types}
    kept = [KEYS[name]] if name in KEYS else []
    kept += {"transactions": ["session_id", "customer_id", "created_at"], "browsing": ["session_id"]}.get(
        _kind(name), []
    )
    result.kept = {column: [] for column in kept}
    seen = 0
    for block in _blocks(path, result.columns, list(types)):
        rows = np.arange(seen + 1, seen + 1 + block.num_rows)
        seen += block.num_rows
        block, rows = _without_blank_rows(result, block, rows)
        parsed = {column: parse_block(block[column], type_) for column, type_ in types.items()}
        _take(result, block, parsed, rows)
    return result


def _kind(name: str) -> str:
    return "browsing" if name in BROWSING_FILES else "transactions" if name in TRANSACTION_FILES else ""


def _blocks(path: Path, names: list[str], columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The file's rows in blocks: the texts of ``columns``, without nulls."""
    texts = dict.fromkeys(columns, pa.string())
    try:
        # one thread: with more, 1 of 24 checks ended with "terminate called" and exit code 134 when all was said
        with path.open("rb") as file:
            file.seek(csv_files.header_length(path))
            with csv.open_csv(
                file,
                read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=names),
                parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=_skip_blank),
                convert_options=csv.ConvertOptions(
                    include_columns=columns, column_types=texts, strings_can_be_null=False, check_utf8=False
                ),
            ) as blocks:
                yield from blocks
    except pa.ArrowInvalid as error:
        csv_files.check_quotes(path, names)  # says the same with the row, as Task 1 would
        raise DataError(f"{path.name}: {str(error).splitlines()[0]}. Correct that row.") from error


def _skip_blank(row: Any) -> str:
    return "skip" if not row.text.strip(rules.PADDING + ',"') else "error"


def _without_blank_rows(result: Scan, block: pa.RecordBatch, rows: np.ndarray) -> tuple[pa.RecordBatch, np.ndarray]:
    """Leaves out the rows that have no value at all, such as those that Excel writes at the end."""
    blank = np.ones(block.num_rows, dtype=bool)
    for texts in block.columns:
        blank &= pc.equal(pc.utf8_trim(texts, characters=rules.PADDING), "").to_numpy(zero_copy_only=False)
        if not blank.any():
            return block, rows
    result.blank_rows += int(blank.sum())
    return block.filter(pa.array(~blank)), rows[~blank]


def _take(result: Scan, block: pa.RecordBatch, parsed: dict[str, Values], rows: np.ndarray) -> None:
    """Adds a block to the scan; ``rows`` are the rows' numbers in the file."""
    rejected = np.zeros(len(rows), dtype=bool)
    for name, column in parsed.items():
        unreadable, empty = column.unreadable, _is_empty(column.values)
        if name == "product_metadata":
            unreadable = ~readable_carts(block[name]) & ~empty
        _count(result.found[name], block[name], unreadable, empty & ~unreadable, column.words, rows)
        rejected |= unreadable | (empty if name in REQUIRED.get(result.name, ()) else False)
    result.quarantined_rows.append(rows[rejected])
    time = TIMES[result.name]
    if time:
        result.zones |= {rules.zone(text) for text in parsed[time].unusual} - {None}
        result.zones |= {""} if parsed[time].usual else set()
        _take_times(result, parsed[time].values.cast(pa.int64()), rows)
    for name, blocks in result.kept.items():
        values = parsed[name].values
        blocks.append(pc.unique(values) if result.name in BROWSING_FILES else values)
    if FILES[result.name] is TRANSACTION:
        result.carts.append(_products(block["product_metadata"], result.rows))
    if result.name in BROWSING_FILES:
        _take_events(result, parsed)
    result.rows += len(rows)


def _is_empty(values: pa.Array) -> np.ndarray:
    empty = pc.equal(values, "") if values.type == pa.string() else values.is_null()
    return empty.to_numpy(zero_copy_only=False).astype(bool)


def _count(
    found: Column, texts: pa.Array, unreadable: np.ndarray, empty: np.ndarray, words: np.ndarray, rows: np.ndarray
) -> None:
    if unreadable.any() and not found.unreadable:
        place = int(unreadable.argmax())
        found.unreadable_row, found.unreadable_text = int(rows[place]), texts[place].as_py()
    if words.any() and not found.words:
        found.word = texts[int(words.argmax())].as_py().strip(rules.PADDING)
    found.unreadable += int(unreadable.sum())
    found.empty += int(empty.sum())
    found.words += int(words.sum())


def _take_events(result: Scan, parsed: dict[str, Values]) -> None:
    """Adds up the events of each type that there is not, and keeps the checkouts."""
    codes = parsed["event_type"].values
    for each in pc.value_counts(codes).to_pylist():
        if each["values"] not in EVENT_TYPES:
            result.event_types[each["values"]] += each["counts"]
    events = pa.table({"session_id": parsed["session_id"].values, "time": parsed["event_time"].values})
    result.checkouts.append(events.filter(pc.equal(codes, "CO")))


def _take_times(result: Scan, times: pa.Array, rows: np.ndarray) -> None:
    """Adds a block's times to the range, and looks for the first row that is earlier than the one before it."""
    known = times.is_valid().to_numpy(zero_copy_only=False)
    if not result.without_time and not known.all():
        result.without_time_row = int(rows[int((~known).argmax())])
    result.without_time += times.null_count
    us, rows = times.drop_null().to_numpy(), rows[known]
    if not len(us):
        return
    before = np.concatenate(([result.times_us[-1][-1] if result.times_us else us[0]], us[:-1]))
    earlier = us < before
    if result.unordered_row is None and earlier.any():
        result.unordered_row = int(rows[int(earlier.argmax())])
    result.first_us = min(int(us.min()), us[0] if result.first_us is None else result.first_us)
    result.last_us = max(int(us.max()), us[0] if result.last_us is None else result.last_us)
    if result.name in TRANSACTION_FILES:  # compared with the browsing file's; of others only the last one is needed
        result.times_us.append(us)
    else:
        result.times_us[:] = [us[-1:].copy()]


def _products(carts: pa.StringArray, rows_before: int) -> tuple[np.ndarray, np.ndarray]:
    """(row, product_id) of every item in a block of product_metadata, found by a search over the block's bytes."""
    _, offsets, data = carts.buffers()
    starts = np.frombuffer(offsets, np.int32)[carts.offset : carts.offset + len(carts) + 1]
    items = [(match.start(), int(match[1])) for match in _PRODUCT.finditer(data or b"")]
    places = np.array([place for place, _ in items], dtype=np.int64)
    products = np.array([product for _, product in items], dtype=np.int64)
    return np.searchsorted(starts, places, side="right") - 1 + rows_before, products
