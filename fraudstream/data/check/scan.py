"""One pass over a CSV of the shop, block by block. Memory holds a block and the keys."""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from fraudstream.data import csv_files, rules
from fraudstream.data.check.columns import Values, parse_block, readable_carts
from fraudstream.data.check.result import (
    BROWSING_FILES,
    EVENT_TYPES,
    KEYS,
    MONEY,
    PAYMENT_STATES,
    REQUIRED,
    TIMES,
    TRANSACTION_FILES,
    Column,
    Scan,
)
from fraudstream.data.encoding import check_encoding
from fraudstream.errors import DataError
from fraudstream.schemas import FILES

_BLOCK = 16 << 20
_PRODUCT = re.compile(rb"""['"]product_id['"]\s*:\s*(\d{1,18})\b""")
# 369.512 may be 369 thousand in an Indonesian spreadsheet; no program writes three decimals of a rupiah
_SEPARATOR = r"^-?[0-9]{1,3}\.[0-9]{3}$"
_ODD_QUANTITY = r"['\"]quantity['\"]\s*:\s*(-|0\b)"


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
    with ThreadPoolExecutor(2) as pool:  # Arrow works on a second core meanwhile
        for block, rows in _numbered(result, _blocks(path, result.columns, list(types))):
            parsed = pool.map(parse_block, (block[column] for column in types), types.values())
            _take(result, block, dict(zip(types, parsed, strict=True)), rows)
    return result


def _numbered(result: Scan, blocks: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
    """Each block with the numbers of its rows in the file, without the rows that have no value."""
    seen = 0
    for block in blocks:
        rows = np.arange(seen + 1, seen + 1 + block.num_rows)
        seen += block.num_rows
        yield _without_blank_rows(result, block, rows)


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
        if name in MONEY:
            _count_separators(result.found[name], block[name], rows)
        rejected |= unreadable | (empty if name in REQUIRED.get(result.name, ()) else False)
    result.quarantined_rows.append(rows[rejected])
    time = TIMES[result.name]
    if time:
        result.zones |= parsed[time].zones
        _take_times(result, parsed[time].values.cast(pa.int64()), rows)
    for name, blocks in result.kept.items():
        values = parsed[name].values
        blocks.append(pc.unique(values) if result.name in BROWSING_FILES else values)
    if result.name in TRANSACTION_FILES:
        odd = pc.match_substring_regex(block["product_metadata"], _ODD_QUANTITY)
        result.payment_states.update(_others(parsed["payment_status"].values, PAYMENT_STATES))
        result.odd_quantities += pc.sum(odd).as_py() or 0
        result.carts.append(_products(block["product_metadata"], result.rows))
    if result.name in BROWSING_FILES:
        _take_events(result, parsed)
    result.rows += len(rows)


def _is_empty(values: pa.Array) -> np.ndarray:
    empty = pc.equal(pc.binary_length(values), 0) if values.type == pa.string() else values.is_null()
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


def _count_separators(found: Column, texts: pa.Array, rows: np.ndarray) -> None:
    texts = pc.utf8_trim(texts, characters=rules.PADDING)
    separated = pc.match_substring_regex(texts, _SEPARATOR).to_numpy(zero_copy_only=False)
    if separated.any() and not found.separators:
        place = int(separated.argmax())
        found.separators_row, found.separators_text = int(rows[place]), texts[place].as_py()
    found.separators += int(separated.sum())


def _take_events(result: Scan, parsed: dict[str, Values]) -> None:
    """Adds up the events of each type that there is not, and keeps the checkouts."""
    codes = parsed["event_type"].values
    result.event_types.update(_others(codes, EVENT_TYPES))
    events = pa.table({"session_id": parsed["session_id"].values, "time": parsed["event_time"].values})
    result.checkouts.append(events.filter(pc.equal(codes, "CO")))


def _others(values: pa.Array, known: frozenset[str]) -> dict[str, int]:
    """Number of each value that is not among ``known``."""
    counts = ((each["values"], each["counts"]) for each in pc.value_counts(values).to_pylist())
    return {value: count for value, count in counts if value not in known}


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
