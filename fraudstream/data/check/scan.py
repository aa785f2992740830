"""One pass over a CSV of the shop, block by block: rows, times, order, keys. Memory holds a block and the keys."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from fraudstream.data import csv_files
from fraudstream.errors import DataError
from fraudstream.schemas import FILES

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
LABELS = ("fraud_transaction.csv", "new_fraud_transaction.csv")
# kept besides: session and customer of a transaction; session of an event and word of a label, each word once
KEPT = {
    "transactions.csv": ("session_id", "customer_id"),
    "new_transaction.csv": ("session_id", "customer_id"),
    "browsing_behaviour.csv": ("session_id",),
    "new_browsing_behaviour.csv": ("session_id",),
    **dict.fromkeys(LABELS, ("is_fraud",)),
}
ONCE = {"browsing_behaviour.csv": "session_id", "new_browsing_behaviour.csv": "session_id"} | dict.fromkeys(
    LABELS, "is_fraud"
)

_BLOCK = 16 << 20
_PRODUCT = re.compile(rb"""['"]product_id['"]\s*:\s*(\d{1,18})\b""")


@dataclass
class Scan:
    """What one pass over a file found. Times are in nanoseconds; ``carts``: (row, product_id) of items."""

    name: str
    path: Path
    columns: list[str] = field(default_factory=list)
    rows: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    unordered_row: int | None = None
    without_time: int = 0
    kept: dict[str, list[pa.Array]] = field(default_factory=dict)
    times_ns: list[np.ndarray] = field(default_factory=list)
    carts: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def values(self, column: str) -> pa.ChunkedArray:
        """All values of a column that was kept; of one that is kept once, each once."""
        values = pa.chunked_array(self.kept[column], pa.string())
        return pa.chunked_array([pc.unique(values)]) if ONCE.get(self.name) == column else values

    @cached_property
    def repeated_keys(self) -> int | None:
        """How many rows have a key that a row before has; None for a file without a key."""
        key = KEYS.get(self.name)
        return None if key is None else self.rows - pc.count_distinct(self.values(key)).as_py()


def scan(data_dir: Path, name: str, columns: list[str]) -> Scan:
    """Reads the file once. Raises DataError when it is missing, lacks one of ``columns``, or has an unreadable row."""
    path = csv_files.find(data_dir, name)
    found = Scan(name, path, csv_files.check_header(path, columns))
    key, time = KEYS.get(name), TIMES[name]
    strings = dict.fromkeys([*([key] if key else []), *KEPT.get(name, ())])
    found.kept = {column: [] for column in strings}
    if name in ("transactions.csv", "new_transaction.csv"):
        strings["product_metadata"] = None
    types = dict.fromkeys(strings, pa.string()) | ({time: pa.timestamp("ns")} if time else {})
    for block in _blocks(path, found.columns, types):
        if time:
            _take_times(found, block[time].cast(pa.int64()))
        for column, blocks in found.kept.items():
            blocks.append(pc.unique(block[column]) if ONCE.get(name) == column else block[column])
        if "product_metadata" in strings:
            found.carts.append(_products(block["product_metadata"], found.rows))
        found.rows += block.num_rows
    return found


def _blocks(path: Path, names: list[str], types: dict[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """The file's rows in blocks: the columns of ``types``. The first line, the header, is passed over."""
    columns = types or {names[0]: pa.string()}
    try:
        # one thread: with more, 1 of 24 checks ended with "terminate called" and exit code 134 when all was said
        with csv.open_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=names, skip_rows=1),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(include_columns=list(columns), column_types=columns, null_values=[""]),
        ) as blocks:
            yield from blocks
    except pa.ArrowInvalid as error:
        raise DataError(f"{path.name}: {str(error).splitlines()[0]}. Correct that row.") from error


def _take_times(found: Scan, times: pa.Array) -> None:
    """Adds a block's times to the range, and looks for the first row that is earlier than the one before it."""
    found.without_time += times.null_count
    ns = times.drop_null().to_numpy()
    if not len(ns):
        return
    before = np.concatenate(([found.times_ns[-1][-1] if found.times_ns else ns[0]], ns[:-1]))
    earlier = ns < before
    if found.unordered_row is None and earlier.any():
        found.unordered_row = found.rows + int(earlier.argmax()) + 1
    found.first_ns = min(int(ns.min()), ns[0] if found.first_ns is None else found.first_ns)
    found.last_ns = max(int(ns.max()), ns[0] if found.last_ns is None else found.last_ns)
    if "customer_id" in found.kept:  # a transaction's time is compared with the browsing file's; of others the last one
        found.times_ns.append(ns)
    else:
        found.times_ns[:] = [ns[-1:].copy()]


def _products(carts: pa.StringArray, rows_before: int) -> tuple[np.ndarray, np.ndarray]:
    """(row, product_id) of every item in a block of product_metadata, found by a search over the block's bytes."""
    carts = carts.fill_null("")
    _, offsets, data = carts.buffers()
    starts = np.frombuffer(offsets, np.int32)[carts.offset : carts.offset + len(carts) + 1]
    items = [(match.start(), int(match[1])) for match in _PRODUCT.finditer(data or b"")]
    places = np.array([place for place, _ in items], dtype=np.int64)
    products = np.array([product for _, product in items], dtype=np.int64)
    return np.searchsorted(starts, places, side="right") - 1 + rows_before, products
