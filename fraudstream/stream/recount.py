"""Recomputes the reports of 2.7 in pandas from the predictions, to check and to rebuild them.

Per window and transaction, the latest prediction counts, as in the queries of 2.7.
"""

import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fraudstream.errors import OutputError
from fraudstream.storage.hadoop import AnyPath
from fraudstream.stream.store import batch_files, batch_number, read_batch

# table -> length of its windows and distance between the starts of two, in seconds
WINDOWS = {
    "frauds_by_transaction": (120, 10),
    "quantity_by_transaction": (30, 30),
    "products_by_transaction": (60, 60),
}
# table -> its primary key, and what it says about a transaction in a window
KEYS = {
    "frauds_by_transaction": ("window_start", "transaction_id"),
    "quantity_by_transaction": ("window_start", "transaction_id"),
    "products_by_transaction": ("window_start", "transaction_id", "position"),
}
VALUES = {
    "frauds_by_transaction": ("prediction",),
    "quantity_by_transaction": ("prediction", "quantity"),
    "products_by_transaction": ("prediction", "product_id", "quantity"),
}
PREDICTION_COLUMNS = ["transaction_id", "ts", "prediction", "product_metadata"]


def recounted(predictions: AnyPath) -> dict[str, pd.DataFrame]:
    """Table -> each transaction's contribution to a window: window_start and window_end (UTC, ISO 8601),
    transaction_id, prediction, and quantity, or position, product_id and quantity.
    """
    rows, items = _predicted(predictions)
    found = {}
    for table, (length_s, step_s) in WINDOWS.items():
        newest = _newest_by_window(rows, length_s, step_s)
        newest["window_start"] = newest.start.map(utc)
        newest["window_end"] = (newest.start + length_s).map(utc)
        found[table] = newest
    quantities = items.groupby("row").quantity.sum()
    in_half_minutes = found["quantity_by_transaction"]
    in_half_minutes["quantity"] = in_half_minutes.row.map(quantities).fillna(0).astype(int)
    found["products_by_transaction"] = found["products_by_transaction"].merge(items, on="row")
    return {
        table: found[table][list(dict.fromkeys(("window_start", "window_end", *KEYS[table], *VALUES[table])))]
        for table in WINDOWS
    }


def wrong_windows(reports: Path, predictions: AnyPath) -> list[str]:
    """The windows in which the reports differ from the predictions, each as "table, window_start", in order.

    A file that is missing, empty or not an SQLite database lacks all windows.
    """
    wrong = set()
    for table, rows in recounted(predictions).items():
        columns = [*KEYS[table], *VALUES[table]]
        right = set(rows[columns].itertuples(index=False, name=None))
        wrong |= {f"{table}, {row[0]}" for row in right ^ set(_held(reports, table, columns))}
    return sorted(wrong)


def utc(seconds: int) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


def _held(reports: Path, table: str, columns: list[str]) -> list[tuple]:
    if not reports.exists():
        return []
    with closing(sqlite3.connect(reports, timeout=60)) as connection:
        try:
            return connection.execute(f"select {', '.join(columns)} from {table}").fetchall()
        except sqlite3.DatabaseError as error:
            damaged = type(error) is sqlite3.DatabaseError  # not its subclasses: locked, for instance
            if damaged or "no such" in str(error):  # table or column
                return []
            raise OutputError(f"{reports}: {error}. Close the program that uses it, and try again.") from error


def _predicted(predictions: AnyPath) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All predictions (row, transaction_id, ts, prediction, batch_id), and the items of their carts (row, position,
    product_id, quantity).
    """
    rows = [pd.DataFrame(columns=["row", "transaction_id", "ts", "prediction", "batch_id"])]
    items = [pd.DataFrame(columns=["row", "position", "product_id", "quantity"])]
    for file in batch_files(predictions):
        table = read_batch(file, PREDICTION_COLUMNS).combine_chunks()
        begin = rows[-1].row.iloc[-1] + 1 if len(rows) > 1 else 0
        numbers = pd.RangeIndex(begin, begin + table.num_rows)
        batch = table.drop_columns("product_metadata").to_pandas()
        rows.append(batch.assign(row=numbers, batch_id=batch_number(file)))
        items.append(_items(table["product_metadata"], numbers))
    return pd.concat(rows[1:] or rows), pd.concat(items[1:] or items)


def _items(carts: pa.ChunkedArray, numbers: pd.RangeIndex) -> pd.DataFrame:
    items = pd.DataFrame({"row": numbers.to_numpy()[pc.list_parent_indices(carts).to_numpy()]})
    items["position"] = items.groupby("row").cumcount()
    flat = pc.list_flatten(carts)
    return items.assign(**{name: pc.struct_field(flat, name).to_numpy() for name in ("product_id", "quantity")})


def _newest_by_window(rows: pd.DataFrame, length_s: int, step_s: int) -> pd.DataFrame:
    """Each row once per window that its ts is in (``start``: Unix seconds), only the newest of each transaction."""
    first = rows.ts // step_s * step_s
    in_windows = pd.concat([rows.assign(start=first - back) for back in range(0, length_s, step_s)])
    newest = in_windows.sort_values("batch_id", kind="stable").drop_duplicates(["start", "transaction_id"], keep="last")
    return newest.sort_values(["start", "transaction_id"]).reset_index(drop=True)
