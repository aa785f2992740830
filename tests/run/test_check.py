"""`check`: its tables, its messages about files and model, and its exit code."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from shop import cart, category, customer, event, fraud, product, transaction, write_csv
from zips import TREES, assembler, entries, indexer, small_model, write_zip

from fraudstream.errors import DataError
from fraudstream.run.check import check
from fraudstream.settings import PROJECT, Settings, load_settings


def moment(minute):
    return f"2024-01-01 00:{minute:02}:00.000"


@pytest.fixture
def folder(tmp_path):
    """A shop of three transactions: past and stream alike, everything in order."""
    rows = {
        "category.csv": [category()],
        "customer.csv": [customer(1), customer(2)],
        "product.csv": [product(1), product(2, 'Two, "lines"\nof name')],
    }
    for new in ("", "new_"):
        sold = [transaction(f"t{n}", f"s{n}", moment(10 * n)) for n in (1, 2, 3)]
        events = [event(f"s{n}", "CO", moment(10 * n)) for n in (1, 2, 3)]
        rows |= {f"{new}browsing_behaviour.csv": events, f"{new}fraud_transaction.csv": [fraud("t1")]}
        rows["new_transaction.csv" if new else "transactions.csv"] = sold
    for name, lines in rows.items():
        write_csv(tmp_path / name, lines)
    small_model(tmp_path / "m.zip")
    return tmp_path


def checked(folder, *arguments):
    """Exit code and lines of the real command on the folder and the model in it; cells are joined by spaces."""
    environment = {key: value for key, value in os.environ.items() if key not in Settings.environment_names().values()}
    command = [sys.executable, "-m", "fraudstream", "check", "--data-dir", folder, "--model", folder / "m.zip"]
    ended = subprocess.run(
        [*command, *arguments], cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert ended.stderr == ""
    return ended.returncode, [" ".join(line.replace("│", " ").split()) for line in ended.stdout.splitlines()]


def change(path: Path, **values):
    """The CSV with other values in all rows."""
    with path.open(newline="") as file:
        rows = [row | values for row in csv.DictReader(file)]
    write_csv(path, rows)


def test_all_of_it_fits(folder):
    code, lines = checked(folder)
    assert (code, lines[-1]) == (0, "All of it fits.")
    for expected in (
        "category.csv 1 4 unique fits",
        "product.csv 2 8 unique fits",
        "browsing_behaviour.csv 3 6 2024-01-01 00:10:00 2024-01-01 00:30:00 yes fits",
        "customer_session.csv not there",
        "customer_session.csv: not there; not needed",
        "transactions.csv 3 14 2024-01-01 00:10:00 2024-01-01 00:30:00 yes unique fits",
        "new_transaction.csv 3 100.0% 0 0 0",
        "age age int number becomes 28",
    ):
        assert expected in lines


@pytest.mark.parametrize(
    ("names", "shape"),
    [
        ({"transactions.csv": "transaction.csv", "new_transaction.csv": "new_transactions.csv"}, lambda text: text),
        ({}, lambda text: b"\xef\xbb\xbf#" + text),
        ({}, lambda text: text.replace(b"\n", b"\r\n")),
    ],
    ids=["the other names", "byte-order mark and hash", "CRLF"],
)
def test_the_shapes_of_other_semesters_fit(folder, names, shape):
    for path in folder.glob("*.csv"):
        path.write_bytes(shape(path.read_bytes()))
    for name, other in names.items():
        (folder / name).rename(folder / other)
    assert checked(folder)[0] == 0


@pytest.mark.parametrize("word", ["true", "FALSE", "1", "0", ""])
def test_spellings_of_is_fraud_that_fit(folder, word):
    change(folder / "new_fraud_transaction.csv", is_fraud=word)
    assert checked(folder)[0] == 0


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("new_transaction.csv", None, "new_transaction.csv or new_transactions.csv: not found in "),
        ("customer.csv", "", "customer.csv: is empty, it needs a header and rows."),
        ("category.csv", "category_id,cat_level1\n1,x\n", "category.csv: no column cat_level2, cat_level3 (found: "),
        ("product.csv", None, "product.csv: not found in "),
        (
            "new_fraud_transaction.csv",
            "transaction_id,is_fraud\nt1,yes\n",
            "new_fraud_transaction.csv: is_fraud 'yes' ",
        ),
        (
            "customer_session.csv",
            "session_id,customer_id\ns1\n",
            "customer_session.csv, row 1: 1 fields, the header has 2 (session_id, customer_id). Correct the row",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_said(folder, file, text, problem):
    (folder / file).unlink(missing_ok=True)
    if text is not None:
        (folder / file).write_text(text)
    code, lines = checked(folder)
    assert (code, lines[-1]) == (1, f"Does not fit: {file}.")
    assert f"{file} does not fit" in lines
    assert any(line.startswith(problem) for line in lines)


def test_a_file_that_is_not_sorted(folder):
    (folder / "new_browsing_behaviour.csv").unlink()
    write_csv(folder / "new_browsing_behaviour.csv", [event("s1", "CO", moment(n)) for n in (10, 30, 20)])
    code, lines = checked(folder)
    assert (code, lines[-1]) == (1, "Does not fit: new_browsing_behaviour.csv.")
    assert "new_browsing_behaviour.csv: row 3 is earlier than the one before: sort the file by event_time." in lines


def test_a_time_that_is_none(folder):
    change(folder / "new_transaction.csv", created_at="yesterday")
    code, lines = checked(folder)
    assert (code, lines[-1]) == (1, "Does not fit: new_transaction.csv.")
    assert (
        "new_transaction.csv, row 1: created_at 'yesterday' is not a time like 2024-01-01 00:21:45.282 (3 of 3 rows)."
    ) in lines


def test_a_key_in_two_rows(folder):
    change(folder / "customer.csv", customer_id="1")
    code, lines = checked(folder)
    assert (code, lines[-1]) == (1, "Does not fit: customer.csv.")
    assert "customer.csv: 1 rows repeat a key: keep one row of each." in lines


def test_how_the_transactions_go_with_the_other_files_is_counted_and_fits(folder):
    sold = [
        transaction("t1", "s1", moment(10), product_metadata=cart((1, 1), (99, 1), (98, 1))),
        transaction("t2", "nowhere", moment(20), customer_id="99", product_metadata=cart((99, 1))),
        transaction("t2", "s3", moment(30)),
        transaction("t4", "nowhere", moment(40)),
    ]
    write_csv(folder / "new_transaction.csv", sold)
    code, lines = checked(folder)
    assert code == 0
    assert "new_transaction.csv 4 50.0% 1 2 1" in lines
    assert "new_transaction.csv: 1 rows repeat a key; the first one is used." in lines


def test_what_only_the_training_reads_may_be_missing_where_a_model_is(folder):
    for name in ("browsing_behaviour.csv", "fraud_transaction.csv"):
        (folder / name).unlink()
    code, lines = checked(folder)
    assert code == 0
    assert "fraud_transaction.csv: not there; only needed for training" in lines


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ((assembler("season"), TREES), "the model needs columns that the stream does not have: season."),
        ((indexer("is_fraud", "1", "0", output="label"), assembler("age"), TREES), "prediction = 1 means"),
    ],
)
def test_a_model_that_is_refused(folder, stages, said):
    write_zip(folder / "m.zip", entries(*stages))
    code, lines = checked(folder)
    assert (code, lines[-1]) == (1, "Does not fit: the model.")
    assert said in " ".join(lines)


def test_a_model_that_is_missing(folder):
    (folder / "m.zip").unlink()
    code, lines = checked(folder)
    assert (code, lines[-1]) == (1, "Does not fit: the model.")


def test_nothing_is_written(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    checked(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_folder_that_is_not_there_is_said_in_one_line(tmp_path):
    with pytest.raises(DataError, match=r"nothing: there is no such folder\. Set FRAUDSTREAM_DATA_DIR"):
        check(load_settings(data_dir=tmp_path / "nothing"))
