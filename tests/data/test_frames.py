"""CSV files as Spark DataFrames: shapes of files, types, unique keys, labels."""

from datetime import date, datetime

import pytest
from shop import cart, category, customer, event, fraud, product, transaction, write_csv

from fraudstream.data.frames import read_browsing, read_csv, read_labels, read_profiles
from fraudstream.errors import DataError
from fraudstream.schemas import CUSTOMER, PRODUCT

HEADER = ",".join(PRODUCT)
NAMED = '{},Women,Blue,Summer,2016,Casual,"{}",4'


def names(spark, folder, lines, newline="\n", encoding="utf-8"):
    """id -> productDisplayName of a product.csv with these lines."""
    (folder / "product.csv").write_bytes(newline.join([*lines, ""]).encode(encoding))
    return {row.id: row.productDisplayName for row in read_csv(spark, folder, "product.csv").collect()}


@pytest.mark.parametrize(
    ("header", "newline", "encoding"),
    [
        (HEADER, "\n", "utf-8"),
        (HEADER, "\n", "utf-8-sig"),
        ("#" + HEADER, "\n", "utf-8"),
        ("# " + HEADER, "\r\n", "utf-8-sig"),
    ],
    ids=["plain", "byte-order mark", "hash", "mark, hash and CRLF"],
)
def test_shapes_of_a_file(spark, tmp_path, header, newline, encoding):
    lines = [header, NAMED.format(7, "Scarf"), NAMED.format(8, "Été")]
    assert names(spark, tmp_path, lines, newline, encoding) == {7: "Scarf", 8: "Été"}


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_commas_quotes_and_line_breaks_in_names(spark, tmp_path, newline):
    wanted = {
        1: "Men's Shirt, blue",
        2: 'The "Best" Hat',
        3: "Two\nlines",
        4: "back\\slash",
        5: '"',
        6: ",",
        7: " pad ",
    }
    lines = [HEADER, *(NAMED.format(key, name.replace('"', '""')) for key, name in wanted.items())]
    assert names(spark, tmp_path, lines, newline) == wanted | {7: "pad"}


def test_crlf_does_not_stick_to_the_last_column(spark, tmp_path):
    text = "session_id,event_time,event_type\r\ns1,2024-01-01 00:00:01.5,CO\r\n"
    (tmp_path / "browsing_behaviour.csv").write_bytes(text.encode())
    rows = read_csv(
        spark, tmp_path, "browsing_behaviour.csv", "session_id string, event_time timestamp, event_type string"
    )
    assert rows.collect() == [("s1", datetime(2024, 1, 1, 0, 0, 1, 500000), "CO")]


def test_columns_are_found_by_name_in_any_order_and_typed(spark, tmp_path):
    columns = ["more", *reversed(CUSTOMER)]
    write_csv(
        tmp_path / "customer.csv", [customer(7) | {"more": "x"}, customer(8, birthdate="") | {"more": ""}], columns
    )
    rows = read_csv(spark, tmp_path, "customer.csv")
    assert rows.columns == list(CUSTOMER)
    ordinary = ("Siti", "Wijaya", "siti1", "siti@example.com", "F")
    assert rows.collect() == [
        (7, *ordinary, date(1995, 6, 15), date(2019, 3, 1)),
        (8, *ordinary, None, date(2019, 3, 1)),
    ]


def test_a_missing_column_is_named(spark, tmp_path):
    write_csv(tmp_path / "category.csv", [category()], ["category_id", "cat_level1", "cat_level3"])
    with pytest.raises(DataError) as caught:
        read_csv(spark, tmp_path, "category.csv")
    assert str(caught.value) == (
        "category.csv: no column cat_level2 (found: category_id, cat_level1, cat_level3). "
        "Rename it, or see data/README.md."
    )


def test_transactions_keep_empty_strings_and_their_other_name(spark, tmp_path):
    bought = transaction("t1", "s1", "2024-01-01 02:03:04.567", product_metadata=cart((3, 2)), promo_amount="")
    write_csv(tmp_path / "transaction.csv", [bought])
    (row,) = read_csv(spark, tmp_path, "transactions.csv").collect()
    assert row.promo_code == ""
    assert row.promo_amount is None
    assert row.product_metadata == [(3, 2, 1000.0)]
    assert row.created_at == datetime(2024, 1, 1, 2, 3, 4, 567000)


def test_browsing_events_go_by_browsed_at(spark, tmp_path):
    write_csv(tmp_path / "new_browsing_behaviour.csv", [event("s1", "CO", "2024-01-01 00:00:01.000")])
    rows = read_browsing(spark, tmp_path, "new_browsing_behaviour.csv")
    assert rows.dtypes == [("session_id", "string"), ("event_type", "string"), ("browsed_at", "timestamp_ntz")]


def test_a_customer_in_two_rows_is_refused(spark, tmp_path):
    write_csv(tmp_path / "customer.csv", [customer(7), customer(8), customer(7)])
    write_csv(tmp_path / "transactions.csv", [transaction("t1", "s1", "2024-01-01 00:00:00.000")])
    with pytest.raises(DataError) as caught:
        read_profiles(spark, tmp_path)
    assert str(caught.value) == "customer.csv: customer_id 7 is in several rows. Keep one row of each."


def test_ids_as_floats_padded_codes_and_words_for_nothing(spark, tmp_path):
    write_csv(
        tmp_path / "customer.csv", [customer("7.0", gender="F   "), customer(" 008 ", gender="NULL", birthdate="NaT")]
    )
    rows = read_csv(spark, tmp_path, "customer.csv").select("customer_id", "gender", "birthdate")
    assert rows.collect() == [(7, "F", date(1995, 6, 15)), (8, None, None)]


def test_rows_that_a_spreadsheet_leaves_at_the_end_are_left_out(spark, tmp_path):
    path = write_csv(tmp_path / "product.csv", [product(1), product(2)])
    path.write_text(path.read_text() + ",,,,,,,\n" * 3 + ",,,\n")
    rows = read_csv(spark, tmp_path, "product.csv", unique="id")
    assert [row.id for row in rows.collect()] == [1, 2]


def test_a_header_and_values_with_line_breaks_in_a_further_column_of_the_browsing_file(spark, tmp_path):
    extra = {"user\nagent": "Mozilla,\n5.0"}
    rows = [event(f"s{n}", "CO", "2024-01-01 00:00:01") | extra for n in range(3)]
    write_csv(tmp_path / "new_browsing_behaviour.csv", rows)
    found = read_browsing(spark, tmp_path, "new_browsing_behaviour.csv").collect()
    assert [(row.session_id, row.browsed_at) for row in found] == [
        (f"s{n}", datetime(2024, 1, 1, 0, 0, 1)) for n in range(3)
    ]


def test_rows_with_keys_of_their_own_pass(spark, tmp_path):
    write_csv(tmp_path / "product.csv", [product(1), product(2)])
    rows = read_csv(spark, tmp_path, "product.csv", unique="id")
    assert [row.id for row in rows.collect()] == [1, 2]


def test_a_key_in_two_rows_is_refused(spark, tmp_path):
    write_csv(tmp_path / "product.csv", [product(1), product(2), product(1)])
    with pytest.raises(DataError) as caught:
        read_csv(spark, tmp_path, "product.csv", unique="id")
    assert str(caught.value) == "product.csv: id 1 is in several rows. Keep one row of each."


@pytest.mark.parametrize("true", ["True", "true", "1"])
def test_frauds_are_true_in_every_semester_s_spelling_and_once_a_transaction(spark, tmp_path, true):
    write_csv(tmp_path / "fraud_transaction.csv", [fraud("t1", true), fraud("t2", "0"), fraud("t1", "False")])
    assert dict(read_labels(spark, tmp_path, "fraud_transaction.csv").collect()) == {"t1": True, "t2": False}
