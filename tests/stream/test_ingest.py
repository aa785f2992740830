"""From Kafka messages to rows: unreadable rows are quarantined with the reason, all others continue."""

import json
import time
from datetime import datetime

import pytest
from pyspark.sql import functions as F
from shop import cart, event, transaction

from fraudstream.schemas import BROWSING_TOPIC, TRANSACTION_TOPIC
from fraudstream.stream.ingest import (
    ORIGIN,
    SCHEMAS,
    explode_messages,
    good_rows,
    in_brackets,
    quarantined,
    write_quarantine,
)
from fraudstream.stream.readable import JSON_OPTIONS

TS = int(time.time())
NOON = "2024-01-01 12:00:00.000"
SOURCE = "value binary, topic string, partition int, offset long, timestamp timestamp"


def buy(transaction_id="bad", **values):
    return transaction(transaction_id, "s1", NOON) | {"ts": TS} | values


def browse(event_type="bad", **values):
    return event("s1", event_type, NOON) | {"ts": TS} | values


def without(row, name):
    return {key: value for key, value in row.items() if key != name}


def read(spark, topic, messages):
    """(good rows, quarantined rows) of a topic that holds these messages, read as the notebook reads them."""
    values = [json.dumps(each).encode() if isinstance(each, list) else each for each in messages]
    records = [(value, topic, 0, offset, datetime.fromtimestamp(TS)) for offset, value in enumerate(values)]
    strings = ", ".join(f"{name}: string" for name in SCHEMAS[topic]) + ", ts: int"
    lists = F.from_json(in_brackets("value"), f"array<array<struct<{strings}>>>", JSON_OPTIONS)
    messages = spark.createDataFrame(records, SOURCE).withColumn("lists", lists)
    rows = explode_messages(messages).select("row.*", *ORIGIN)
    return good_rows(rows, topic).collect(), quarantined({topic: rows}).collect()


# name -> message, and the raw value that quarantine keeps of it
NO_LISTS = {
    "no JSON": (b"good morning", "good morning"),
    "no list": (b'{"ts": 1}', '{"ts": 1}'),
    "a number": (b"17", "17"),
    "cut off": (b'[{"ts": 1}, {"ts"', '[{"ts": 1}, {"ts"'),
    "empty": (b"", ""),
    "null": (None, None),
    "bad UTF-8": (b'[{"session_id": "\xff"}]', '[{"session_id": "\ufffd"}]'),
    "null in the list": (b"[null]", "[null]"),
    "two lists": (b'[{"ts": 1}][{"ts": 2}]', '[{"ts": 1}][{"ts": 2}]'),
    "single quotes": (b"[{'ts': 1}]", "[{'ts': 1}]"),
    "byte-order mark": (b"\xef\xbb\xbf[]", "\ufeff[]"),
}
NO_TS = "ts is missing or not a whole number"
AHEAD = "ts is more than 60 s ahead of its Kafka record"
TWO_CARTS = "[{'product_id': 1, 'quantity': 1, 'item_price': 1}], [{'product_id': 2, 'quantity': 1, 'item_price': 1}]"
NO_CART = "product_metadata is not a list of product_id, quantity and item_price"
# name -> element between two good ones of a list, and the reason that quarantine gives
BAD_TRANSACTIONS = {
    "no object": ("not a row", NO_TS),
    "no ts": (without(buy(), "ts"), NO_TS),
    "ts is a word": (buy(ts="soon"), NO_TS),
    "ts is a string": (buy(ts=str(TS)), NO_TS),
    "ts with a fraction": (buy(ts=1.5), NO_TS),
    "ts too large": (buy(ts=2**40), NO_TS),
    "ts in the future": (buy(ts=TS + 61), AHEAD),
    "ts in the year 2199": (buy(ts=2**31 - 1), AHEAD),
    "missing column": (without(buy(), "payment_method"), "payment_method is missing"),
    "null": (buy(customer_id=None), "customer_id is missing"),
    "empty id": (buy(transaction_id=""), "transaction_id is empty"),
    "empty session": (buy(session_id=""), "session_id is empty"),
    "empty time": (buy(created_at=""), "created_at is empty"),
    "unreadable time": (buy(created_at="yesterday"), "created_at cannot be read as timestamp"),
    "unreadable int": (buy(customer_id="one"), "customer_id cannot be read as int"),
    "list for an int": (buy(customer_id=["1"]), "customer_id cannot be read as int"),
    "unreadable double": (buy(total_amount="7.000,00"), "total_amount cannot be read as double"),
    "yes for 1": (buy(clear_payment="yes"), "clear_payment cannot be read as int"),
    "cart is text": (buy(product_metadata="two shirts"), NO_CART),
    "cart of two lists": (buy(product_metadata=TWO_CARTS), NO_CART),
    "cart is cut off": (buy(product_metadata="[{'product_id': 1"), NO_CART),
    "cart without quantity": (buy(product_metadata="[{'product_id': 1}]"), NO_CART),
    "cart of a word": (buy(product_metadata="[{'product_id': 'x', 'quantity': 1}]"), NO_CART),
    "empty cart text": (buy(product_metadata=""), "product_metadata is empty"),
}
# elements that are no objects, for which no row of the list can be read by the one parse, and the reason
NO_OBJECTS = {
    "a word": ("not a row", NO_TS),
    "no text": ("", NO_TS),
    "a number": (17, NO_TS),
    "a list": ([1], NO_TS),
    "null": (None, "the message is not a JSON list of objects in UTF-8"),
}
BAD_BROWSING = {
    "missing column": (without(browse(), "event_type"), "event_type is missing"),
    "empty session": (browse(session_id=""), "session_id is empty"),
    "unreadable time": (browse(event_time="25:00"), "event_time cannot be read as timestamp"),
    "unreadable int": (browse(customer_id="one"), "customer_id cannot be read as int"),
    "ts in the future": (browse(ts=TS + 61), AHEAD),
}


@pytest.fixture(scope="module")
def transactions(spark):
    """Good ones of each list in a row, and name -> quarantined rows of that message."""
    lists = {name: [buy(f"{name} before"), bad, buy(f"{name} after")] for name, (bad, _) in BAD_TRANSACTIONS.items()}
    messages = {**{name: value for name, (value, _) in NO_LISTS.items()}, **{f"of {key}": lists[key] for key in lists}}
    good, rejected = read(spark, TRANSACTION_TOPIC, messages.values())
    by_name = {name: [row for row in rejected if row.offset == offset] for offset, name in enumerate(messages)}
    return [(row.transaction_id, row.position) for row in good], by_name


@pytest.mark.parametrize("name", NO_LISTS)
def test_a_message_that_is_no_list_is_one_quarantined_row(transactions, name):
    raw, reason = NO_LISTS[name][1], "the message is not a JSON list of objects in UTF-8"
    place = {"topic": TRANSACTION_TOPIC, "partition": 0, "offset": list(NO_LISTS).index(name), "position": 0}
    message = NO_LISTS[name][0]
    expected = place | {"raw_value": raw, "raw_bytes": message, "reason": reason}
    assert [row.asDict() for row in transactions[1][name]] == [expected]


@pytest.mark.parametrize("name", BAD_TRANSACTIONS)
def test_a_transaction_that_cannot_be_read_is_set_apart_and_the_others_go_on(transactions, name):
    bad, reason = BAD_TRANSACTIONS[name]
    good, (row,) = transactions[0], transactions[1][f"of {name}"]
    assert (row.position, row.reason) == (1, reason)
    assert (json.loads(row.raw_value) if isinstance(bad, dict) else row.raw_value) == bad
    assert [each for each in good if each[0].startswith(f"{name} ")] == [(f"{name} before", 0), (f"{name} after", 2)]


def test_nothing_else_comes_through(transactions):
    assert len(transactions[0]) == 2 * len(BAD_TRANSACTIONS)


def test_browsing_rows_that_cannot_be_read_are_set_apart_and_the_others_go_on(spark):
    messages = [[browse("HP"), bad, browse("CO")] for bad, _ in BAD_BROWSING.values()]
    good, rejected = read(spark, BROWSING_TOPIC, messages)
    assert [(row.event_type, row.position) for row in good] == [("HP", 0), ("CO", 2)] * len(BAD_BROWSING)
    expected = [(offset, 1, reason) for offset, (_, reason) in enumerate(BAD_BROWSING.values())]
    assert [(row.offset, row.position, row.reason) for row in rejected] == expected


def test_good_rows_keep_their_strings(spark):
    row = buy(promo_code="", promo_amount="", customer_id="", shipment_location_lat=" -8.04398660050412")
    more = buy(colour="red", product_metadata=cart((1, 1), (2, 3)))
    good, rejected = read(spark, TRANSACTION_TOPIC, [[row, more]])
    assert [each.asDict() for each in good] == [row | {"position": 0}, without(more, "colour") | {"position": 1}]
    assert rejected == []


def test_browsing_rows_without_customer_id_are_good(spark):
    good, rejected = read(spark, BROWSING_TOPIC, [[without(browse(), "customer_id"), browse(customer_id="")]])
    assert [row.customer_id for row in good] == [None, ""]
    assert rejected == []


def test_an_empty_list_is_no_row(spark):
    assert read(spark, TRANSACTION_TOPIC, [b"[]", b" [ ] "]) == ([], [])


def test_a_minute_ahead_and_any_time_ago_are_accepted(spark):
    good, rejected = read(spark, TRANSACTION_TOPIC, [[buy("t1", ts=TS + 60), buy("t2", ts=0)]])
    assert [row.transaction_id for row in good] == ["t1", "t2"]
    assert rejected == []


def test_quarantine_is_written_once_a_batch_and_only_where_there_is_something(spark, tmp_path):
    write, columns = write_quarantine(tmp_path / "quarantine"), "topic string, reason string"
    write(spark.createDataFrame([], columns), 0)
    for reason in ("first", "again"):
        write(spark.createDataFrame([("transactions", reason)], columns), 1)
    assert spark.read.parquet(str(tmp_path / "quarantine")).collect() == [("transactions", "first", 1)]


@pytest.mark.parametrize("name", NO_OBJECTS)
def test_an_element_that_is_no_object_does_not_change_its_neighbours(spark, name):
    bad, reason = NO_OBJECTS[name]
    rows = [
        buy("t1", customer_id=17, total_amount=1.50, promo_code=["a", {"b": None}]),
        buy("t2", ts="soon"),
        buy("t3"),
    ]
    alone, among = read(spark, TRANSACTION_TOPIC, [rows]), read(spark, TRANSACTION_TOPIC, [[*rows, bad]])
    assert among[0] == alone[0]
    assert [(row.position, row.raw_value, row.reason) for row in among[1][:-1]] == [
        (row.position, row.raw_value, row.reason) for row in alone[1]
    ]
    assert (among[1][-1].position, among[1][-1].reason) == (3, reason)


def test_an_object_written_as_a_string_is_read(spark):
    good, rejected = read(spark, TRANSACTION_TOPIC, [[json.dumps(buy("t1")), buy("t2")]])
    assert [(row.transaction_id, row.position) for row in good] == [("t1", 0), ("t2", 1)]
    assert rejected == []
