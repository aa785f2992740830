"""Reading CSV files: values stay untouched, and each unreadable file gives one message."""

import csv

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


@pytest.mark.parametrize("rows_before", [0, 60, 500_000])
def test_a_byte_that_is_not_utf8_is_named_before_the_first_row(path, rows_before):
    content = b"id,name\n" + b"1,x\n" * rows_before + b"2,\xc9t\xe9\n"
    row = rows_before + 1
    expected = f"shop.csv, row {row}, name: not UTF-8 (byte 0xc9). Save the file as CSV UTF-8."
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        csv_files.rows(path, ("id", "name"))
    assert str(caught.value) == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf16(path, encoding):
    expected = "shop.csv: not UTF-8 (UTF-16, or a binary file). Save it as CSV UTF-8."
    assert message(path, "id,name\n1,x\n".encode(encoding)) == expected


@pytest.mark.parametrize(("separator", "said"), [(";", "';'"), ("\t", "a tab"), ("|", "'|'")])
def test_fields_separated_by_something_else(path, separator, said):
    assert message(path, f"id{separator}name\n1{separator}x\n") == (
        f"shop.csv: the fields are separated by {said}, not by commas. Save it as CSV with commas."
    )


@pytest.mark.parametrize("line", ["sep=,", "sep=;"])
def test_excel_s_own_first_line(path, line):
    expected = f"shop.csv: the first line, '{line.rstrip(',')}', is Excel's own. Delete it."
    assert message(path, f"{line}\nid,name\n1,x\n") == expected


def test_rows_without_values_are_left_out(path):
    assert read(path, "id,name\n1,x\n,\n , \n,,,\n") == [{"id": "1", "name": "x"}]


def test_a_header_with_padding_a_line_break_and_no_name(path):
    assert read(path, '\ufeffid ," name","two\nlines",\n1,x,y,z\n') == [
        {"id": "1", "name": "x", "two\nlines": "y", "unnamed_4": "z"}
    ]


def test_a_backslash_before_a_quote_that_joins_two_rows(path):
    content = 'id,name\n7,"Screen 24\\""\n8,"Screen 27\\""\n9,x\n'
    assert message(path, content).startswith("shop.csv: not a readable CSV (',' expected after '\"').")


@pytest.mark.parametrize("row", ['7,"a\\"\n8,""\n', '7,"Screen 24\\""\n8,"y"\n'])
def test_a_backslash_before_a_quote_is_refused_or_part_of_the_value(path, row):
    path.write_text(f"id,name\n{row}")
    try:
        found = [each["name"] for each in csv_files.rows(path, ("id", "name"))]
    except DataError:
        return
    assert found == ["a\\", ""]


def test_a_long_value(path):
    assert read(path, f"id,name\n1,{'x' * 200_000}\n")[0]["name"] == "x" * 200_000


def test_column_in_two_capitalisations(path):
    assert message(path, "id,name,ID\n1,x,2\n").startswith("shop.csv: column id, ID is in the header twice.")


def test_column_twice(path):
    assert message(path, "id,name,id\n1,x,2\n").startswith("shop.csv: column id is in the header twice.")


@pytest.mark.parametrize(("row", "fields"), [("2", 1), ("2,y,z", 3)])
def test_row_with_too_few_or_too_many_fields(path, row, fields):
    assert message(path, f"id,name\n1,x\n{row}\n").startswith(
        f"shop.csv, row 2: {fields} fields, the header has 2 (id, name)."
    )


def test_quote_that_never_ends(path):
    assert message(path, 'id,name\n1,x\n2,"y\n').startswith(
        "shop.csv, after row 1: not a readable CSV (unexpected end of data)."
    )


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


def test_rows_of_an_open_reader_are_checked_likewise(path):
    path.write_text("# id ,name\n1,x\n,\n2\n")
    with path.open(newline="") as file:
        found = csv_files.checked_rows(path, ("id", "name"), csv.DictReader(file))
        assert next(found) == {"id": "1", "name": "x"}
        with pytest.raises(DataError, match=r"^shop.csv, row 3: 1 fields, the header has 2 \(id, name\)\."):
            next(found)
