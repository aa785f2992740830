"""Reading CSV files: values stay untouched, and each unreadable file gives one message."""

import pytest

from fraudstream.data import csv_files
from fraudstream.errors import DataError


def read(path, content, columns=("id", "name")):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(csv_files.rows(path, columns))


def message(path, content, columns=("id", "name")):
    with pytest.raises(DataError) as caught:
        read(path, content, columns)
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shop.csv"


def test_values_are_the_file_s_text(path):
    assert read(path, "id,name\n007, x \n8.10,\n") == [{"id": "007", "name": " x "}, {"id": "8.10", "name": ""}]


def test_quoted_commas_quotes_and_newlines(path):
    assert read(path, 'id,name\n1,"a, ""b""\nc"\n') == [{"id": "1", "name": 'a, "b"\nc'}]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfid,name\n1,x\n",
        b"#id,name\n1,x\n",
        b"# id,name\r\n1,x\r\n",
        b"id,name\n\n1,x\n\n",
        b"id,name\n1,x",
    ],
    ids=["byte-order mark", "hash", "CRLF", "blank lines", "no last line end"],
)
def test_shapes_of_a_file(path, content):
    assert read(path, content) == [{"id": "1", "name": "x"}]


def test_more_columns_are_kept_in_file_order(path):
    assert list(read(path, "name,more,id\nx,y,1\n")[0].items()) == [("name", "x"), ("more", "y"), ("id", "1")]


def test_missing_column(path):
    expected = "shop.csv: no column name (found: id, Name). Rename it, or see data/README.md."
    assert message(path, "id,Name\n1,x\n") == expected


def test_empty_file(path):
    assert message(path, "").startswith("shop.csv: is empty, it needs a header and rows.")


def test_header_only(path):
    assert message(path, "id,name\n").startswith("shop.csv: has a header but no rows.")


def test_bad_encoding(path):
    assert message(path, b"id,name\n1,caf\xe9\n") == "shop.csv: not UTF-8 (byte 0xe9 cannot be read). Save it as UTF-8."


def test_column_twice(path):
    assert message(path, "id,name,id\n1,x,2\n").startswith("shop.csv: column id stands twice in the header.")


@pytest.mark.parametrize(("row", "fields"), [("2", 1), ("2,y,z", 3)])
def test_row_with_too_few_or_too_many_fields(path, row, fields):
    assert message(path, f"id,name\n1,x\n{row}\n").startswith(
        f"shop.csv, row 2: {fields} fields, the header has 2 (id, name)."
    )


def test_quote_that_never_ends(path):
    assert message(path, 'id,name\n1,x\n2,"y\n').startswith("shop.csv: not a readable CSV (unexpected end of data).")


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"^category.csv: not found in "):
        csv_files.find(tmp_path, "category.csv")


@pytest.mark.parametrize("name", ["new_transaction.csv", "new_transactions.csv"])
def test_either_semester_s_name(tmp_path, name):
    (tmp_path / name).touch()
    assert csv_files.find(tmp_path, "new_transaction.csv") == tmp_path / name


def test_both_names_at_once(tmp_path):
    for name in ("transaction.csv", "transactions.csv"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"^transactions.csv and transaction.csv are both in "):
        csv_files.find(tmp_path, "transactions.csv")


def test_rows_are_read_one_at_a_time(path):
    path.write_text("id,name\n1,x\nbroken\n")
    assert next(csv_files.rows(path, ["id"])) == {"id": "1", "name": "x"}
