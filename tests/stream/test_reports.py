"""The three reports: absolute values by window, whatever runs twice or is revised."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest

from fraudstream.stream.reports import Reports

NOON = datetime(2024, 1, 1, 12, tzinfo=timezone.utc)
WINDOW = "window struct<start timestamp, end timestamp>"
CHANGES = {
    "frauds": f"{WINDOW}, transaction_id string, prediction double",
    "quantity": f"{WINDOW}, transaction_id string, prediction double, quantity bigint",
    "products": f"{WINDOW}, transaction_id string, prediction double, position int, product_id int, "
    "product_name string, quantity int",
}


def window(begins_s, lasts_s):
    return NOON + timedelta(seconds=begins_s), NOON + timedelta(seconds=begins_s + lasts_s)


def utc(seconds):
    return (NOON + timedelta(seconds=seconds)).isoformat()


class Book:
    """The reports in a new file, and what stands in it."""

    def __init__(self, spark, path):
        self.spark, self.reports, self.path = spark, Reports(path), path

    def update(self, report, *rows):
        batch = self.spark.createDataFrame(list(rows), CHANGES[report])
        getattr(self.reports, f"update_{report}")(batch)

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
        "products": [(FIRST, "t2", 0.0, 0, 7, "Hat", 4)],
    }
    for report, rows in batches.items():
        book.update(report, *rows)
    before = book.everything()
    assert sum("INSERT" in line for line in before) == 8
    for report, rows in batches.items():
        book.update(report, *rows)
    assert book.everything() == before


def test_a_revised_prediction_moves_the_transaction_in_all_three_reports(book):
    for prediction in (0.0, 1.0):
        book.update("frauds", (FIRST, "t1", prediction), (FIRST, "t2", 0.0))
        book.update("quantity", (FIRST, "t1", prediction, 3), (FIRST, "t2", 0.0, 4))
        book.update("products", (FIRST, "t1", prediction, 0, 7, "Hat", 3), (FIRST, "t2", 0.0, 0, 8, "Belt", 4))
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
        (FIRST, "t1", 0.0, 0, 7, "Hat", 1),
        (FIRST, "t1", 0.0, 1, 7, "Hat", 2),
        (FIRST, "t2", 0.0, 0, 7, "Hat", 4),
        (SECOND, "t3", 0.0, 0, 7, "Hat", 8),
    )
    assert book.table(PRODUCTS) == [(utc(0), utc(60), 7, "Hat", 7), (utc(60), utc(120), 7, "Hat", 8)]


def test_only_the_windows_of_the_batch_change(book):
    book.update("frauds", (FIRST, "t1", 1.0), (SECOND, "t2", 1.0))
    with closing(sqlite3.connect(book.path)) as connection, connection:
        connection.execute(f"update {FRAUDS} set frauds = 99 where window_start = ?", (utc(0),))
    book.update("frauds", (SECOND, "t3", 0.0))
    assert book.table(FRAUDS) == [(utc(0), utc(60), 99, 1), (utc(60), utc(120), 1, 2)]


def test_times_are_utc_in_the_hour_that_melbourne_has_twice(book):
    # 2024-04-06 15:30 and 16:30 UTC are both 02:30 in Melbourne
    hours = [datetime(2024, 4, 6, hour, 30, tzinfo=timezone.utc) for hour in (15, 16)]
    book.update("quantity", *(((at, at + timedelta(seconds=30)), "t1", 0.0, at.hour) for at in hours))
    assert book.table(QUANTITY) == [
        ("2024-04-06T15:30:00+00:00", "2024-04-06T15:30:30+00:00", 15),
        ("2024-04-06T16:30:00+00:00", "2024-04-06T16:30:30+00:00", 16),
    ]


def test_frauds_shows_the_newest_windows_first_and_none_that_is_far_from_over(book):
    # a transaction at second 125 stands in the twelve windows of 2 minutes that begin from second 10 to 120
    book.update("frauds", *((window(begins, 120), "t1", 1.0) for begins in range(10, 130, 10)))
    book.update("frauds", *((window(begins, 120), "t0", 0.0) for begins in range(-110, 10, 10)))
    shown = book.reports.frauds(windows=3)
    assert list(shown.columns) == ["window_start", "window_end", "frauds", "transactions"]
    assert [tuple(row) for row in shown.to_numpy()] == [
        (utc(10), utc(130), 1, 1),
        (utc(0), utc(120), 0, 1),
        (utc(-10), utc(110), 0, 1),
    ]


def test_quantity_shows_the_newest_windows_first(book):
    book.update("quantity", *((window(30 * number, 30), f"t{number}", 0.0, number) for number in range(4)))
    assert book.reports.quantity(windows=2).quantity.tolist() == [3, 2]


def test_top_products_are_the_newest_window_s_by_quantity_also_without_a_name(book):
    book.update(
        "products",
        (FIRST, "t1", 0.0, 0, 6, "Hat", 100),
        (SECOND, "t2", 0.0, 0, 7, "Hat", 2),
        (SECOND, "t2", 0.0, 1, 8, None, 3),
        (SECOND, "t2", 0.0, 2, 9, "Belt", 2),
        (SECOND, "t2", 0.0, 3, 5, "Sock", 1),
    )
    shown = book.reports.top_products(products=3)
    assert [tuple(row) for row in shown[["product_id", "product_name", "quantity"]].to_numpy()] == [
        (8, None, 3),
        (7, "Hat", 2),
        (9, "Belt", 2),
    ]
    assert len(book.table(PRODUCTS)) == 5


def test_reports_that_are_there_already_go_on(book):
    book.update("frauds", (FIRST, "t1", 1.0))
    again = Book(book.spark, book.path)
    again.update("frauds", (FIRST, "t2", 1.0))
    assert again.table(FRAUDS) == [(utc(0), utc(60), 2, 2)]
