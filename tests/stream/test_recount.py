"""The reports recomputed from the predictions: a file that is deleted, emptied, damaged or replaced is rebuilt."""

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest
import recompute
from task2 import constant

from fraudstream.stream.publish import write_batch
from fraudstream.stream.recount import recounted, wrong_windows
from fraudstream.stream.reports import Reports

T = 1_745_818_012
CATALOGUE = pd.DataFrame({"product_id": [1, 2], "product_name": ["Hat", "Sock"], "category": ["A", "B"]})
NAMES = dict(zip(CATALOGUE.product_id, CATALOGUE.product_name, strict=True))
VIEWS = {
    "frauds_last_2_minutes": ("frauds_by_transaction", constant("FRAUDS")),
    "quantity_every_30_seconds": ("quantity_by_transaction", constant("QUANTITY")),
    "top_products_every_minute": ("products_by_transaction", constant("PRODUCTS")),
}
ITEM = pa.struct([("product_id", pa.int32()), ("quantity", pa.int32()), ("item_price", pa.float64())])

# batch -> (transaction_id, ts, prediction, {product_id: quantity}); t1 is revised, t3's product is unknown, t4 has none
FIRST = [("t1", T, 0.0, {1: 2}), ("t2", T + 1, 1.0, {1: 9}), ("t3", T + 40, 0.0, {1: 1, 3: 4})]
SECOND = [("t1", T, 1.0, {1: 2}), ("t4", T + 3600, 0.0, {}), ("t5", T + 3601, 0.0, {2: 7})]


def write(folder, batch_id, rows):
    ids, times, predictions, carts = zip(*rows, strict=True)
    items = [[{"product_id": p, "quantity": q, "item_price": 1.0} for p, q in cart.items()] for cart in carts]
    columns = {"transaction_id": ids, "ts": pa.array(times, pa.int32()), "prediction": predictions}
    write_batch(pa.table({**columns, "product_metadata": pa.array(items, pa.list_(ITEM))}), folder, batch_id)


@pytest.fixture
def stream(tmp_path):
    """Two batches of predictions, and what the three queries have made of them, with views, in reports.sqlite."""
    predictions, path, notes = tmp_path / "predictions", tmp_path / "reports.sqlite", []
    write(predictions, 9, FIRST)
    write(predictions, 10, SECOND)
    reports = Reports(path, notes.append, predictions, lambda: CATALOGUE)
    for name, (table, query) in VIEWS.items():
        reports.view(name, table, query)
    notes.clear()
    return SimpleNamespace(predictions=predictions, path=path, reports=reports, notes=notes)


def views(path):
    with closing(sqlite3.connect(path)) as connection:
        return {name: connection.execute(f"select * from {name} order by 1, 3").fetchall() for name in VIEWS}


def expected():
    newest = {row[0]: row for row in FIRST + SECOND}.values()
    carts = ([{"product_id": product, "quantity": quantity} for product, quantity in row[3].items()] for row in newest)
    rows = [(*row[1:3], cart) for row, cart in zip(newest, carts, strict=True)]
    return recompute.reports(pd.DataFrame(rows, columns=["ts", "prediction", "product_metadata"]), NAMES)


def test_the_rebuilt_reports_are_those_of_an_independent_recomputation(stream):
    assert wrong_windows(stream.path, stream.predictions) == []
    assert views(stream.path) == expected()


def test_a_window_that_is_wrong_is_named(stream):
    with closing(sqlite3.connect(stream.path)) as connection, connection:
        connection.execute("update quantity_by_transaction set quantity = 3 where transaction_id = 't3'")
        connection.execute("delete from products_by_transaction where transaction_id = 't5'")
    assert wrong_windows(stream.path, stream.predictions) == [
        "products_by_transaction, 2025-04-28T06:26:00+00:00",
        "quantity_by_transaction, 2025-04-28T05:27:30+00:00",
    ]


def deleted(path, copy):
    path.unlink()


def emptied(path, copy):
    path.write_bytes(b"")


def replaced_by_an_older_copy(path, copy):
    shutil.copy(copy, path)


def replaced_by_something_else(path, copy):
    path.write_text("not a database, " * 100)


DAMAGES = [deleted, emptied, replaced_by_an_older_copy, replaced_by_something_else]


def said_of(damage):
    """The end of the note: an older copy has windows that are wrong, the others have none."""
    older = damage is replaced_by_an_older_copy
    return "did not match the predictions: rebuilt." if older else "computed from the predictions."


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_while_task_2_runs_it_is_rebuilt_at_the_next_micro_batch(spark, stream, tmp_path, damage):
    shutil.copy(stream.path, tmp_path / "older")
    with closing(sqlite3.connect(tmp_path / "older")) as connection, connection:
        connection.execute("delete from frauds_by_transaction")
    change = "window struct<start timestamp, end timestamp>, transaction_id string, prediction double"
    ends = tuple(datetime.fromtimestamp(T // 10 * 10 + seconds, timezone.utc) for seconds in (0, 120))
    batch = spark.createDataFrame([(ends, "t1", 1.0)], change)
    stream.reports.upsert("frauds_by_transaction", batch)
    damage(stream.path, tmp_path / "older")
    stream.reports.upsert("frauds_by_transaction", batch)
    assert stream.notes[-1].endswith(said_of(damage))
    assert wrong_windows(stream.path, stream.predictions) == []
    assert views(stream.path) == expected()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_between_two_runs_it_is_rebuilt_at_the_start(stream, tmp_path, damage):
    shutil.copy(stream.path, tmp_path / "copy")
    write(stream.predictions, 11, [("t6", T + 7200, 1.0, {2: 1})])
    stream.reports.read(constant("FRAUDS"), "frauds_by_transaction", 1)
    damage(stream.path, tmp_path / "copy")
    notes = []
    Reports(stream.path, notes.append, stream.predictions, lambda: CATALOGUE)
    assert notes[-1].endswith(said_of(damage))
    assert wrong_windows(stream.path, stream.predictions) == []


def test_reports_that_are_right_are_left_alone(stream):
    before = stream.path.read_bytes()
    notes = []
    Reports(stream.path, notes.append, stream.predictions, lambda: CATALOGUE)
    assert notes == []
    assert len(stream.path.read_bytes()) == len(before)


def test_without_predictions_there_is_nothing_to_report(tmp_path):
    assert all(rows.empty for rows in recounted(tmp_path / "predictions").values())
    assert wrong_windows(tmp_path / "reports.sqlite", tmp_path / "predictions") == []
