"""Batches, exactly: the rows and transactions that belong together."""

from datetime import datetime

import pytest

from fraudstream.errors import DataError
from fraudstream.producer.replay import BrowsingCursor, TransactionCursor, parse_time
from fraudstream.schemas import NEW_BROWSING, TRANSACTION

DAY = "2024-01-01"


def write(path, columns, time_column, times):
    """A file with these times of the day and, in every other column, the row's number."""
    lines = [",".join(columns)]
    for number, time in enumerate(times):
        lines.append(",".join(f"{DAY} {time}" if name == time_column else f"{name}-{number}" for name in columns))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def batches(tmp_path):
    """(browsing times, transaction times, rows a batch) -> the transaction times of each batch, and both cursors."""

    def replay(events, checkouts, size=2):
        browsing = BrowsingCursor(write(tmp_path / "browsing.csv", NEW_BROWSING, "event_time", events))
        transactions = TransactionCursor(
            write(tmp_path / "transaction.csv", TRANSACTION, "created_at", checkouts), since=browsing.first_time
        )
        found = []
        while rows := browsing.next_rows(size):
            found.append([row["created_at"].split()[1] for row in transactions.up_to(rows[-1]["event_time"])])
        return found, transactions

    return replay


def test_200_rows_a_batch_in_file_order_and_a_short_last_one(tmp_path):
    times = [f"00:{minute:02}:{second:02}" for minute in range(15) for second in range(30)]
    cursor = BrowsingCursor(write(tmp_path / "browsing.csv", NEW_BROWSING, "event_time", times))
    read = [cursor.next_rows(200), cursor.next_rows(200), cursor.next_rows(200), cursor.next_rows(200)]
    assert [len(rows) for rows in read] == [200, 200, 50, 0]
    assert [row["session_id"] for rows in read for row in rows] == [f"session_id-{number}" for number in range(450)]
    assert cursor.finished


def test_rows_keep_all_columns_as_strings(tmp_path):
    row = BrowsingCursor(write(tmp_path / "b.csv", [*NEW_BROWSING, "more"], "event_time", ["10:00:00.5"])).next_rows()[
        0
    ]
    assert list(row) == [*NEW_BROWSING, "more"]
    assert row["event_time"] == "2024-01-01 10:00:00.5"
    assert row["customer_id"] == "customer_id-0"


def test_checkout_that_is_its_batch_s_last_row_belongs_to_that_batch(batches):
    found, _ = batches(["10:00:00", "10:00:05", "10:00:06", "10:00:09"], ["10:00:05"])
    assert found == [["10:00:05"], []]


def test_tie_at_batch_end_goes_to_the_earlier_batch_once(batches):
    found, _ = batches(["10:00:00", "10:00:05", "10:00:05", "10:00:09"], ["10:00:05", "10:00:05"])
    assert found == [["10:00:05", "10:00:05"], []]


def test_transaction_in_the_gap_between_two_batches_goes_to_the_later(batches):
    found, _ = batches(["10:00:00", "10:00:05", "10:00:30", "10:00:40"], ["10:00:10"])
    assert found == [[], ["10:00:10"]]


def test_batch_without_transactions_is_empty(batches):
    found, _ = batches(["10:00:00", "10:00:05", "10:00:07", "10:00:09", "10:00:20"], ["10:00:04", "10:00:15"])
    assert found == [["10:00:04"], [], ["10:00:15"]]


def test_before_the_first_event_and_after_the_last_are_counted_not_sent(batches):
    checkouts = ["09:59:59.9", "10:00:00", "10:00:06.1", "11:00:00"]
    found, transactions = batches(["10:00:00", "10:00:05", "10:00:06"], checkouts)
    assert found == [["10:00:00"], []]
    assert (transactions.too_early, transactions.count_rest()) == (1, 2)


def test_times_with_and_without_fraction_are_compared_as_times(batches):
    found, _ = batches(["10:00:00", "10:00:05.100", "10:00:06"], ["10:00:05", "10:00:05.1", "10:00:05.1001"])
    assert found == [["10:00:05", "10:00:05.1"], ["10:00:05.1001"]]


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("10:00:00", 0), ("10:00:00.5", 500_000), ("10:00:00.282", 282_000), ("10:00:00.1234567", 123_456)],
)
def test_fractions_of_any_length(text, microsecond):
    assert parse_time(f"{DAY} {text}") == datetime(2024, 1, 1, 10, 0, 0, microsecond)


def test_first_browsing_row_out_of_order_is_named(tmp_path):
    path = write(
        tmp_path / "new_browsing_behaviour.csv", NEW_BROWSING, "event_time", ["10:00:05", "10:00:06", "10:00:04"]
    )
    with pytest.raises(DataError) as caught:
        BrowsingCursor(path).next_rows()
    assert str(caught.value) == (
        "new_browsing_behaviour.csv, row 3: event_time 2024-01-01 10:00:04 is earlier than 2024-01-01 10:00:06 "
        "in the row before. Sort the file by event_time."
    )


def test_first_transaction_out_of_order_is_named(batches):
    with pytest.raises(DataError, match=r"^transaction.csv, row 2: created_at 2024-01-01 10:00:01 is earlier than "):
        batches(["10:00:00", "10:00:05"], ["10:00:02", "10:00:01"])


def test_unreadable_time_is_named(batches):
    with pytest.raises(DataError, match=r"^browsing.csv, row 2: event_time '2024-01-01 soon' cannot be read as a time"):
        batches(["10:00:00", "soon"], ["10:00:00"])


def test_memory_is_bounded_by_a_batch(tmp_path):
    path = write(tmp_path / "b.csv", NEW_BROWSING, "event_time", ["10:00:00"] * 3 + ["unreadable"])
    assert len(BrowsingCursor(path).next_rows(2)) == 2, "rows after the next batch's first have not been read yet"
