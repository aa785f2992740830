"""The three reports: exact totals by window after repeated batches and revised predictions."""

import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest
from task2 import constant

from fraudstream.kafka.probe import wait_for
from fraudstream.stream.reports import Reports, finished

NOON = datetime(2024, 1, 1, 12, tzinfo=timezone.utc)
WINDOW = "window struct<start timestamp, end timestamp>"
CHANGES = {
    "frauds": f"{WINDOW}, transaction_id string, prediction double",
    "quantity": f"{WINDOW}, transaction_id string, prediction double, quantity bigint",
    "products": f"{WINDOW}, transaction_id string, prediction double, position int, product_id int, "
    "product_name string, category string, quantity int",
}


def window(begins_s, lasts_s):
    return NOON + timedelta(seconds=begins_s), NOON + timedelta(seconds=begins_s + lasts_s)


def utc(seconds):
    return (NOON + timedelta(seconds=seconds)).isoformat()


REPORTS = {
    "frauds": ("frauds_last_2_minutes", constant("FRAUDS"), ("transaction_id",)),
    "quantity": ("quantity_every_30_seconds", constant("QUANTITY"), ("transaction_id",)),
    "products": ("top_products_every_minute", constant("PRODUCTS"), ("transaction_id", "position")),
}


class Book:
    """The reports in a new file, written as the notebook's cells do, with the SQL of its cells."""

    def __init__(self, spark, path):
        self.spark, self.reports, self.path = spark, Reports(path), path

    def update(self, report, *rows):
        view, query, key = REPORTS[report]
        self.reports.upsert(f"{report}_by_transaction", self.spark.createDataFrame(list(rows), CHANGES[report]), key)
        self.reports.view(view, f"{report}_by_transaction", query)

    def read(self, report, windows):
        return self.reports.read(REPORTS[report][1], f"{report}_by_transaction", windows)

    def table(self, name):
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(f"select * from {name} order by 1, 3").fetchall()

    def everything(self):
        with closing(sqlite3.connect(self.path)) as connection:
            return list(connection.iterdump())


@pytest.fixture
def book(spark, tmp_path):
    return Book(spark, tmp_path / "output" / "reports.sqlite")


FIRST, SECOND = window(0, 60), window(60, 60)
FRAUDS = "frauds_last_2_minutes"
QUANTITY = "quantity_every_30_seconds"
PRODUCTS = "top_products_every_minute"


def test_a_batch_that_comes_twice_changes_nothing(book):
    batches = {
        "frauds": [(FIRST, "t1", 1.0), (FIRST, "t2", 0.0)],
        "quantity": [(FIRST, "t1", 1.0, 3), (FIRST, "t2", 0.0, 4)],
        "products": [(FIRST, "t2", 0.0, 0, 7, "Hat", None, 4)],
    }
    for report, rows in batches.items():
        book.update(report, *rows)
    before = book.everything()
    assert sum("INSERT" in line for line in before) == 5
    for report, rows in batches.items():
        book.update(report, *rows)
    assert book.everything() == before


def test_a_revised_prediction_moves_the_transaction_in_all_three_reports(book):
    for prediction in (0.0, 1.0):
        book.update("frauds", (FIRST, "t1", prediction), (FIRST, "t2", 0.0))
        book.update("quantity", (FIRST, "t1", prediction, 3), (FIRST, "t2", 0.0, 4))
        book.update(
            "products", (FIRST, "t1", prediction, 0, 7, "Hat", None, 3), (FIRST, "t2", 0.0, 0, 8, "Belt", None, 4)
        )
    minute = (utc(0), utc(60))
    assert book.table(FRAUDS) == [(*minute, 1, 2)]
    assert book.table(QUANTITY) == [(*minute, 4)]
    assert book.table(PRODUCTS) == [(*minute, 8, "Belt", 4)]


def test_a_revision_that_takes_a_window_s_last_row_takes_the_window(book):
    book.update("quantity", (FIRST, "t1", 0.0, 3))
    book.update("quantity", (FIRST, "t1", 1.0, 3))
    assert book.table(QUANTITY) == []
    book.update("quantity", (FIRST, "t1", 0.0, 3))
    assert book.table(QUANTITY) == [(utc(0), utc(60), 3)]


def test_a_product_twice_in_one_cart_and_in_two_carts_adds_up(book):
    book.update(
        "products",
        (FIRST, "t1", 0.0, 0, 7, "Hat", None, 1),
        (FIRST, "t1", 0.0, 1, 7, "Hat", None, 2),
        (FIRST, "t2", 0.0, 0, 7, "Hat", None, 4),
        (SECOND, "t3", 0.0, 0, 7, "Hat", None, 8),
    )
    assert book.table(PRODUCTS) == [(utc(0), utc(60), 7, "Hat", 7), (utc(60), utc(120), 7, "Hat", 8)]


def test_times_are_utc_in_the_hour_that_melbourne_has_twice(book):
    # 2024-04-06 15:30 and 16:30 UTC are both 02:30 in Melbourne
    hours = [datetime(2024, 4, 6, hour, 30, tzinfo=timezone.utc) for hour in (15, 16)]
    book.update("quantity", *(((at, at + timedelta(seconds=30)), "t1", 0.0, at.hour) for at in hours))
    assert book.table(QUANTITY) == [
        ("2024-04-06T15:30:00+00:00", "2024-04-06T15:30:30+00:00", 15),
        ("2024-04-06T16:30:00+00:00", "2024-04-06T16:30:30+00:00", 16),
    ]


def test_of_the_sliding_windows_those_that_are_over_are_shown_newest_first(book):
    # a transaction at second 125 is in the twelve windows of 2 minutes that begin from second 10 to 120
    book.update("frauds", *((window(begins, 120), "t1", 1.0) for begins in range(10, 130, 10)))
    book.update("frauds", *((window(begins, 120), "t0", 0.0) for begins in range(-110, 10, 10)))
    rows = book.read("frauds", windows=15)
    assert list(rows.columns) == ["window_start", "window_end", "frauds", "transactions"]
    assert len(rows) == 15, "bounded"
    assert [tuple(row) for row in finished(rows[rows.window_end <= utc(130)]).head(3).to_numpy()] == [
        (utc(10), utc(130), 1, 1),
        (utc(0), utc(120), 0, 1),
        (utc(-10), utc(110), 0, 1),
    ]


def test_a_window_that_still_grows_is_in_no_view_and_is_shown_only_alone(book):
    now = datetime.now(timezone.utc).replace(microsecond=0)
    earlier, growing = [(now + timedelta(seconds=s), now + timedelta(seconds=s + 60)) for s in (-90, -30)]
    book.update("quantity", (growing, "t2", 0.0, 5))
    assert book.table(QUANTITY) == []
    assert finished(book.read("quantity", windows=2)).quantity.tolist() == [5]
    book.update("quantity", (earlier, "t1", 0.0, 3))
    assert [row[2] for row in book.table(QUANTITY)] == [3]
    assert finished(book.read("quantity", windows=2)).quantity.tolist() == [3]


def test_only_the_newest_windows_are_read(book):
    book.update("quantity", *((window(30 * number, 30), f"t{number}", 0.0, number) for number in range(4)))
    assert book.read("quantity", windows=2).quantity.tolist() == [3, 2]


def test_a_product_without_a_name_stays(book):
    book.update("products", (FIRST, "t2", 0.0, 0, 7, "Hat", None, 2), (FIRST, "t2", 0.0, 1, 8, None, None, 3))
    assert book.table(PRODUCTS) == [(utc(0), utc(60), 7, "Hat", 2), (utc(0), utc(60), 8, None, 3)]


def test_a_file_that_somebody_else_locks_is_waited_for_visibly(spark, tmp_path, monkeypatch):
    monkeypatch.setattr("fraudstream.stream.reports.NOTE_EVERY_S", 0)
    notes = []
    book = Book(spark, tmp_path / "reports.sqlite")
    book.reports = Reports(book.path, notes.append)
    with closing(sqlite3.connect(book.path, isolation_level=None)) as other, ThreadPoolExecutor(1) as threads:
        other.execute("begin immediate")
        update = threads.submit(book.update, "frauds", (FIRST, "t1", 1.0))
        assert wait_for(lambda: bool(notes), 30, print)
        other.execute("commit")
        update.result(timeout=30)
    assert re.fullmatch(r"reports.sqlite is locked by another program: waiting for \d+ s.", notes[0])
    assert book.table(FRAUDS) == [(utc(0), utc(60), 1, 1)]


def test_a_reader_with_an_open_cursor_does_not_block_the_reports(book):
    book.update("frauds", (FIRST, "t1", 1.0))
    with closing(sqlite3.connect(book.path)) as reader:
        cursor = reader.execute("select * from frauds_by_transaction")
        cursor.fetchone()
        book.update("frauds", (FIRST, "t2", 1.0))
    assert book.table(FRAUDS) == [(utc(0), utc(60), 2, 2)]


def test_reports_that_are_there_already_go_on(book):
    book.update("frauds", (FIRST, "t1", 1.0))
    again = Book(book.spark, book.path)
    again.update("frauds", (FIRST, "t2", 1.0))
    assert again.table(FRAUDS) == [(utc(0), utc(60), 2, 2)]
