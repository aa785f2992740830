"""Part A's features, exactly as the batch job and the stream compute them."""

from datetime import datetime

import pytest
from pyspark.sql import functions as F
from shop import cart, customer, event, features, transaction

from fraudstream.data.parsing import parsed
from fraudstream.features import part_of_day
from fraudstream.schemas import PRODUCT_METADATA

NOON = "2024-01-01 12:00:00.000"
SHOP_CODES = ("AP", "ATC", "CO", "VC", "VP", "VI", "SER", "SCR", "HP", "CL")


def chosen(row, *names):
    return {name: row[name] for name in names}


@pytest.fixture(scope="module")
def counted(spark):
    """Sessions s1 to s4 with different kinds of events."""
    events = {"s1": SHOP_CODES, "s2": ("CO", "CO", "SER"), "s3": ("XX", "YY"), "s4": ("CO", "XX")}
    return features(
        spark,
        [transaction(f"t{session[1]}", session, NOON) for session in events],
        [event(session, code, "2024-01-01 11:59:00.000") for session, codes in events.items() for code in codes],
    )


COUNTS = ("l1_count", "l2_count", "l3_count", "l1_ratio", "l2_ratio")


@pytest.mark.parametrize(
    ("transaction_id", "expected"),
    [
        ("t1", (3, 4, 3, 30.0, 40.0)),
        ("t2", (2, 1, 0, 100 * 2 / 3, 100 * 1 / 3)),
        ("t3", (0, 0, 0, 0.0, 0.0)),
        ("t4", (1, 0, 0, 100.0, 0.0)),
    ],
    ids=["all ten codes", "a code twice", "no code of a level", "another code does not count"],
)
def test_events_are_counted_by_level_and_their_shares_are_percent(counted, transaction_id, expected):
    assert tuple(counted[transaction_id][name] for name in COUNTS) == expected


def test_events_up_to_the_checkout_count_and_none_after_it(spark):
    times = ("2024-01-01 11:59:59.999", NOON, "2024-01-01 12:00:00.001")
    events = [event("s1", code, time) for code, time in zip(("HP", "CO", "AP"), times, strict=True)]
    only_later = [event("s2", "HP", "2024-01-01 12:00:00.001")]
    found = features(spark, [transaction("t1", "s1", NOON), transaction("t2", "s2", NOON)], events + only_later)
    assert {key: chosen(row, *COUNTS[:3]) for key, row in found.items()} == {
        "t1": {"l1_count": 1, "l2_count": 0, "l3_count": 1}
    }


def test_part_of_day_begins_at_its_first_moment(spark):
    begins = {"00:00": "night", "06:00": "morning", "12:00": "afternoon", "18:00": "evening"}
    ends = {"05:59:59.999": "night", "11:59:59.999": "morning", "17:59:59.999": "afternoon", "23:59:59.999": "evening"}
    moments = [(time, datetime.fromisoformat(f"2024-01-01 {time}")) for time in [*begins, *ends]]
    spans = spark.createDataFrame(moments, "name string, first_browsed_at timestamp_ntz")
    named = spans.withColumn("last_browsed_at", F.col("first_browsed_at")).select("name", part_of_day())
    assert dict(named.collect()) == begins | ends


def test_part_of_day_is_that_of_the_midpoint_between_first_and_last_event(spark):
    times = ("2024-01-01 23:00:00.000", "2024-01-02 04:00:00.000", "2024-01-02 13:00:00.000")  # the midpoint is 06:00
    a_little_less = (*times[:2], "2024-01-02 12:59:59.998")
    later = "2024-01-03 00:00:00.000"
    found = features(
        spark,
        [transaction("t1", "s1", later), transaction("t2", "s2", later)],
        [event(session, "HP", time) for session, own in (("s1", times), ("s2", a_little_less)) for time in own],
    )
    assert {key: row["time_of_day"] for key, row in found.items()} == {"t1": "morning", "t2": "night"}


def test_melbourne_s_daylight_saving_does_not_bend_the_shop_s_clock(spark):
    # On 2023-10-01 Melbourne has no time from 02:00 to 03:00: the span from 01:00 to 10:58 is an hour shorter there
    span = [event("s1", "HP", f"2023-10-01 {time}:00.000") for time in ("01:00", "10:58")]
    in_the_gap = [event("s2", "HP", f"2023-10-01 {time}:00.000") for time in ("02:30", "03:10")]
    found = features(
        spark,
        [transaction("t1", "s1", "2023-10-01 11:00:00.000"), transaction("t2", "s2", "2023-10-01 02:45:00.000")],
        span + in_the_gap,
        past=[transaction("p1", "s0", f"2023-10-01 {time}:00.000") for time in ("02:40", "03:10")],
    )
    assert chosen(found["t1"], "time_of_day", "num_purchases") == {"time_of_day": "night", "num_purchases": 2}
    assert chosen(found["t2"], "l3_count", "num_purchases", "created_at") == {
        "l3_count": 1,
        "num_purchases": 1,
        "created_at": datetime(2023, 10, 1, 2, 45),
    }


def test_age_is_days_by_365_25_rounded_half_up(spark):
    born = {1: "2000-07-01", 2: "2000-07-02", 3: "2024-01-01", 4: "1894-01-01"}  # 23.5 years: 8583.4 days
    found = features(
        spark,
        [transaction(f"t{number}", "s1", NOON, customer_id=str(number)) for number in born],
        [event("s1", "CO", NOON)],
        [customer(number, birthdate=birthdate) for number, birthdate in born.items()],
    )
    assert {key: row["age"] for key, row in found.items()} == {"t1": 24, "t2": 23, "t3": 0, "t4": 130}


def test_purchases_strictly_before_the_checkout_count(spark):
    past = [transaction(f"p{i}", "s0", time) for i, time in enumerate(("2024-01-01 11:59:59.999", NOON))]
    others = [transaction("p2", "s0", "2023-01-01 00:00:00.000", customer_id="2")]
    found = features(
        spark,
        [transaction("t1", "s1", NOON), transaction("t2", "s1", NOON, customer_id="3")],
        [event("s1", "CO", NOON)],
        [customer(1), customer(3)],
        past + others,
    )
    assert {key: row["num_purchases"] for key, row in found.items()} == {"t1": 1, "t2": 0}


def test_a_customer_whom_the_files_do_not_know_keeps_the_transaction(spark):
    bought = [transaction("t1", "s1", NOON, customer_id="99"), transaction("t2", "s1", NOON, customer_id="")]
    known_by_purchase = transaction("t3", "s1", NOON, customer_id="7")
    found = features(
        spark,
        [*bought, known_by_purchase],
        [event("s1", "CO", NOON)],
        [customer(1), customer(2, birthdate="", first_join_date="", gender="")],
        [transaction("p1", "s0", "2023-01-01 00:00:00.000", customer_id="7")],
    )
    unknown = {"gender": None, "age": None, "first_join_year": None, "num_purchases": 0}
    assert {key: chosen(row, *unknown) for key, row in found.items()} == {
        "t1": unknown,
        "t2": unknown,
        "t3": {**unknown, "num_purchases": 1},
    }


def test_product_metadata_becomes_an_array_of_structs(spark):
    texts = [cart((8124, 1), (18879, 2)), "[]", "", "two shirts"]
    rows = spark.createDataFrame([(text,) for text in texts], "product_metadata string")
    found = [row[0] for row in rows.select(parsed(F.col("product_metadata"), PRODUCT_METADATA)).collect()]
    assert found == [[(8124, 1, 1000.0), (18879, 2, 1000.0)], [], None, None]
    assert found[0][1].asDict() == {"product_id": 18879, "quantity": 2, "item_price": 1000.0}
