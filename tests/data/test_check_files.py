"""`check` on files as other people's programs write them: what it counts, what it refuses, and in which words."""

import io

import pytest
from rich.console import Console
from shop import cart, category, change, customer, event, product, transaction, write_csv

from fraudstream.data.check import report_files, require_files
from fraudstream.errors import DataError
from fraudstream.schemas import STATIC_FILES, STREAM_FILES

NAMES = [*STATIC_FILES, *STREAM_FILES]
COUNT = 200
HINT = " Correct the files, or continue with --tolerate (in a notebook: FRAUDSTREAM_TOLERATE=1)."


def moment(n):
    return f"2024-01-01 {n // 60:02}:{n % 60:02}:30.282"


@pytest.fixture
def folder(tmp_path):
    """A shop of 200 transactions of 200 customers, each with a session of one event, in perfect order."""
    write_csv(tmp_path / "category.csv", [category()])
    write_csv(tmp_path / "customer.csv", [customer(n) for n in range(1, COUNT + 1)])
    write_csv(tmp_path / "product.csv", [product(n) for n in range(1, COUNT + 1)])
    for new, browsing in (("", "browsing"), ("new_", "new_browsing")):
        sold = [transaction(f"t{n}", f"s{n}", moment(n), customer_id=str(n + 1)) for n in range(COUNT)]
        write_csv(tmp_path / f"{new}transaction.csv", sold)
        write_csv(tmp_path / f"{browsing}_behaviour.csv", [event(f"s{n}", "CO", moment(n)) for n in range(COUNT)])
    return tmp_path


def refused(folder, **options):
    with pytest.raises(DataError) as caught:
        require_files(folder, NAMES, **options)
    return str(caught.value)


def some(count, text, otherwise=lambda text: text):
    """A function for ``change``: ``text`` in the first rows, what was there in the others."""
    left = [text] * count
    return lambda value: left.pop() if left else otherwise(value)


def test_clean_files_say_nothing(folder):
    assert require_files(folder, NAMES) == []


@pytest.mark.parametrize(
    ("file", "column", "function"),
    [
        ("new_browsing_behaviour.csv", "customer_id", "{}.0".format),
        ("new_transaction.csv", "customer_id", "{}.0".format),
        ("customer.csv", "customer_id", "{}.0".format),
        ("customer.csv", "customer_id", "{:0>9}".format),
        ("product.csv", "category_id", "{}.0".format),
        ("new_browsing_behaviour.csv", "event_type", "{}  ".format),
        ("new_transaction.csv", "clear_payment", lambda text: "True"),
        ("customer.csv", "birthdate", "{} 00:00:00".format),
    ],
)
def test_other_spellings_fit_without_a_word(folder, file, column, function):
    change(folder / file, column, function)
    assert require_files(folder, NAMES) == []


@pytest.mark.parametrize(
    ("file", "column", "text", "problem"),
    [
        ("customer.csv", "birthdate", "25/12/1993", "a date like 1993-12-25"),
        ("product.csv", "id", "SKU-13", "a whole number like 3886"),
        ("new_transaction.csv", "total_amount", "369,512", "a number like 369512 or -6.2"),
        ("new_transaction.csv", "clear_payment", "yes", "a whole number like 3886"),
        ("new_browsing_behaviour.csv", "customer_id", "6.5E+04", "a whole number like 3886"),
        ("new_transaction.csv", "product_metadata", "two", "a list of items with product_id and quantity"),
        ("transactions.csv", "created_at", "01/02/2023 10:00", "a time like 2024-01-01 00:21:45.282"),
    ],
)
def test_over_one_in_a_hundred_unreadable_values_refuse_and_fewer_are_said(folder, file, column, text, problem):
    (folder / "transaction.csv").rename(folder / "transactions.csv")
    change(folder / file, column, some(3, text))
    expected = f"{file}, row 1: {column} {text!r} is not {problem} (3 of 200 rows)."
    assert refused(folder) == expected + HINT
    assert expected in require_files(folder, NAMES, tolerate=True)
    lines = (folder / file).read_text().splitlines(keepends=True)
    (folder / file).write_text("".join([*lines[:2], *lines[4:]]))
    assert f"{file}, row 1: {column} {text!r} is not {problem} (1 of" in require_files(folder, NAMES)[0]


def test_words_for_nothing_are_counted(folder):
    change(folder / "new_transaction.csv", "promo_amount", some(80, "NULL"))
    change(folder / "new_transaction.csv", "promo_code", some(90, "nan"))
    assert require_files(folder, NAMES) == [
        "new_transaction.csv: promo_amount is 'NULL' in 80 rows, read as empty.",
        "new_transaction.csv: promo_code is 'nan' in 90 rows, read as empty.",
    ]


def test_event_types_that_are_none_are_named_with_their_count(folder):
    change(folder / "new_browsing_behaviour.csv", "event_type", some(1, "PAY"))
    assert require_files(folder, NAMES) == [
        "new_browsing_behaviour.csv: 1 of 200 events have no event type of the shop: PAY (1)."
    ]
    change(folder / "new_browsing_behaviour.csv", "event_type", str.lower)
    assert refused(folder).startswith(
        "new_browsing_behaviour.csv: 200 of 200 events have no event type of the shop: co (199), pay (1)."
    )


def test_milliseconds_that_are_gone_are_counted(folder):
    change(folder / "new_transaction.csv", "created_at", lambda text: text[:-4])
    assert refused(folder) == (
        "new_transaction.csv: 200 of 200 transactions are earlier than the CO event of their session, which is "
        f"then not counted. Keep the milliseconds of created_at.{HINT}"
    )


def test_seconds_that_are_gone_in_both_files_fit(folder):
    change(folder / "new_transaction.csv", "created_at", lambda text: text[:16])
    change(folder / "new_browsing_behaviour.csv", "event_time", lambda text: text[:16])
    assert require_files(folder, NAMES) == []


def test_one_time_zone_is_said_and_several_are_refused(folder):
    change(folder / "new_transaction.csv", "created_at", "{}Z".format)
    assert require_files(folder, NAMES) == ["new_transaction.csv: the time zone of created_at (UTC) is ignored."]
    change(folder / "new_transaction.csv", "created_at", some(100, moment(0), lambda text: text))
    assert refused(folder, tolerate=True).startswith(
        "new_transaction.csv: created_at has several time zones (none, UTC)"
    )


def test_rows_that_are_not_sorted_are_refused_whatever_is_tolerated(folder):
    write_csv(folder / "new_browsing_behaviour.csv", [event("s1", "CO", moment(n)) for n in (1, 3, 2)])
    assert refused(folder, tolerate=True) == (
        "new_browsing_behaviour.csv: row 3 is earlier than the one before: sort the file by event_time."
    )


def test_an_unreadable_time_of_the_stream_is_refused_whatever_is_tolerated(folder):
    change(folder / "new_transaction.csv", "created_at", some(1, "25:00"))
    assert refused(folder, tolerate=True) == (
        "new_transaction.csv, row 1: created_at '25:00' is not a time like 2024-01-01 00:21:45.282 (1 of 200 rows)."
    )


def test_empty_rows_at_the_end_are_said(folder):
    path = folder / "new_transaction.csv"
    path.write_text(path.read_text() + ",,,,,,,,,,,,,\n" * 5)
    assert require_files(folder, NAMES) == ["new_transaction.csv: 5 rows without any value are ignored."]


def test_a_column_empty_throughout_is_said(folder):
    change(folder / "customer.csv", "gender", lambda text: "")
    assert require_files(folder, NAMES) == [
        "customer.csv: gender is empty in all rows; the model's imputed value is used."
    ]


@pytest.mark.parametrize(
    ("file", "change_bytes", "expected"),
    [
        (
            "product.csv",
            lambda data: data.replace(b"Blue S", b"Bl\xc9e S", 1),
            "product.csv, row 1, productDisplayName: ",
        ),
        (
            "customer.csv",
            lambda data: data.replace(b",", b";"),
            "customer.csv: the fields are separated by ';', not by ",
        ),
        ("customer.csv", lambda data: b"sep=,\n" + data, "customer.csv: the first line, 'sep=', is Excel's own."),
        (
            "product.csv",
            lambda data: data.replace(b"Blue Shirt", b'"Screen 24\\""', 2),
            "product.csv: not a readable CSV (',' expected after '\"').",
        ),
        (
            "new_transaction.csv",
            lambda data: data.replace(b'"[{', b'"x,"[{', 1),
            "new_transaction.csv: not a readable CSV (",
        ),
        (
            "new_browsing_behaviour.csv",
            lambda data: data + b"s1,CO\n",
            "new_browsing_behaviour.csv, row 201: 2 fields, the header has 6 ",
        ),
    ],
)
def test_broken_files_are_refused_in_one_line(folder, file, change_bytes, expected):
    path = folder / file
    path.write_bytes(change_bytes(path.read_bytes()))
    said = refused(folder, tolerate=True)
    assert said.startswith(expected)
    assert "\n" not in said


def test_a_header_with_a_line_break_is_read(folder):
    rows = [event(f"s{n}", "CO", moment(n)) | {"user\nagent": "x"} for n in range(COUNT)]
    write_csv(folder / "new_browsing_behaviour.csv", rows)
    assert require_files(folder, NAMES) == []


def test_the_report_in_a_terminal_of_80_columns_cuts_no_name_and_no_message(folder):
    change(folder / "customer.csv", "birthdate", lambda text: "25/12/1993")
    out = io.StringIO()
    assert report_files(folder, True, Console(file=out, width=80)) == ["customer.csv"]
    lines = out.getvalue().splitlines()
    names = {line.split()[0] for line in lines if ".csv " in line}
    assert {"new_browsing_behaviour.csv", "browsing_behaviour.csv", "customer_session.csv", "transaction.csv"} <= names
    assert "…" not in out.getvalue()
    assert "customer.csv, row 1: birthdate '25/12/1993' is not a date like 1993-12-25 (200 of 200 rows)." in lines


def test_products_of_a_cart_may_be_unknown(folder):
    change(folder / "new_transaction.csv", "product_metadata", lambda text: cart((999, 1)))
    assert require_files(folder, NAMES) == []


@pytest.mark.parametrize("column", ["promo_amount", "shipment_fee", "total_amount"])
def test_money_that_may_have_thousands_separators_is_refused(folder, column):
    change(folder / "new_transaction.csv", column, lambda text: "369.512")
    assert refused(folder) == (
        f"new_transaction.csv, row 1: {column} '369.512' may have a thousands separator (200 of 200 rows). "
        f"Write it without.{HINT}"
    )


def test_times_that_are_later_than_the_checkout_and_odd_quantities_are_said(folder):
    change(folder / "new_transaction.csv", "created_at", lambda text: text.replace(".282", ".283"))
    change(folder / "new_transaction.csv", "product_metadata", some(2, cart((1, -1), (2, 0))))
    assert require_files(folder, NAMES) == [
        "new_transaction.csv: 200 of 200 transactions are later than every CO event of their session.",
        "new_transaction.csv: 2 of 200 carts have a quantity below 1.",
    ]


def test_payment_states_that_task_3_does_not_count_are_said(folder):
    change(folder / "new_transaction.csv", "payment_status", some(150, "success"))
    assert require_files(folder, NAMES) == [
        "new_transaction.csv: payment_status is neither Success nor Fail in 150 of 200 rows: success (150)."
    ]
