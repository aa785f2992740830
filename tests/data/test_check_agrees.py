"""`check` and the engines agree on damaged files: same rows readable, same values missing, same verdict.

The stream's side is the real one: Task 1's cursors read the rows, Spark parses the messages, sets rows apart, and reads
the static files.
"""

import json
import time
from collections import defaultdict
from datetime import datetime

import pytest
from batch_twin import features_of_new
from damage import DAMAGES, EVENTS, SOLD, damaged_copy
from pyspark.sql import functions as F

from fraudstream.data import csv_files
from fraudstream.data.check import require_files
from fraudstream.data.check.columns import parse_block
from fraudstream.data.check.scan import _blocks, _numbered, scan
from fraudstream.data.check.verdict import NEEDED, TOLERATED_SHARE
from fraudstream.data.frames import read_csv, require_unique
from fraudstream.data.parsing import is_unreadable, parsed
from fraudstream.errors import DataError
from fraudstream.producer.replay import BrowsingCursor, TransactionCursor
from fraudstream.schemas import BROWSING_TOPIC, FILES, LEVELS, TRANSACTION_TOPIC
from fraudstream.stream.ingest import ORIGIN, SCHEMAS, explode_messages, in_brackets, quarantined
from fraudstream.stream.readable import JSON_OPTIONS

pytestmark = pytest.mark.faults

# each copy's messages have a ts of their own, so that one Spark job reads those of all copies
TS = {name: int(time.time()) - number for number, name in enumerate(DAMAGES)}
TOPICS = {EVENTS: BROWSING_TOPIC, SOLD: TRANSACTION_TOPIC}
UNIQUE = {"customer.csv": "customer_id", "product.csv": "id", "category.csv": "category_id"}
# rows per message; a message's partition is the place of its first row in the copy, its offset the copy's ts
BATCH = 10
SOURCE = "value binary, topic string, partition int, offset long, timestamp timestamp"


@pytest.fixture(scope="module")
def copies(shop_dir, tmp_path_factory):
    """name -> folder of the damaged copy."""
    base = tmp_path_factory.mktemp("damaged")
    return {name: damaged_copy(shop_dir, base / str(number), name) for number, name in enumerate(DAMAGES)}


@pytest.fixture(scope="module")
def sent(copies):
    """(name, file) -> rows as Task 1 sends them; the error where it stops."""
    return {(name, file): task_1(folder, file) for name, folder in copies.items() for file in TOPICS}


def task_1(folder, file):
    try:
        browsing = BrowsingCursor(csv_files.find(folder, EVENTS))
        if file == EVENTS:
            return browsing.next_rows(10**9)
        return TransactionCursor(csv_files.find(folder, SOLD), datetime.min).up_to("9999-12-31 23:59:59")
    except DataError as error:
        return error


@pytest.fixture(scope="module")
def streamed(spark, sent):
    """file -> ts -> (positions quarantined, {column: values}, {column: number unreadable}) by Spark."""
    return {file: _streamed(spark, sent, file) for file in TOPICS}


def _streamed(spark, sent, file):
    topic, schema = TOPICS[file], SCHEMAS[TOPICS[file]]
    records = [
        (_message(rows[start : start + BATCH], TS[name]), topic, start, TS[name], datetime.now())
        for (name, each), rows in sent.items()
        if each == file and isinstance(rows, list)
        for start in range(0, len(rows), BATCH)
    ]
    strings = ", ".join(f"{name} string" for name in schema) + ", ts int"
    lists = F.from_json(in_brackets("value"), f"array<array<struct<{strings}>>>", JSON_OPTIONS)
    messages = spark.createDataFrame(records, SOURCE).withColumn("lists", lists)
    rows = explode_messages(messages).select("row.*", *ORIGIN).cache()
    rejected = defaultdict(set)
    for row in quarantined({topic: rows}).collect():
        rejected[row.offset].add(row.partition + row.position)
    typed = {name: parsed(F.col(name), type_) for name, type_ in schema.items() if name != "product_metadata"}
    bad = {name: is_unreadable(F.col(name), schema[name]) for name in typed}
    columns = [typed[name].alias(name) for name in typed] + [bad[name].alias(f"bad_{name}") for name in typed]
    found = rows.select("offset", "position", *columns).orderBy("offset", "partition", "position").toPandas()
    rows.unpersist()
    return {
        ts: (
            rejected[ts],
            {name: [_plain(value) for value in copy[name]] for name in typed},
            {name: int(copy[f"bad_{name}"].fillna(False).sum()) for name in typed},
        )
        for ts, copy in found.groupby("offset")
    }


def _message(rows, ts):
    return json.dumps([row | {"ts": ts} for row in rows]).encode()


def _plain(value):
    """A value of pandas as Python's; None for what is missing."""
    if value is None or value != value:
        return None
    return value.to_pydatetime() if hasattr(value, "to_pydatetime") else value


def checked_values(folder, file):
    """The values of every column as `check` reads them."""
    path, schema = csv_files.find(folder, file), FILES[file]
    found = scan(folder, file, list(NEEDED.get(file, schema)))
    columns = [column for column in schema if column in found.columns]
    values = {column: [] for column in columns}
    for block, _ in _numbered(found, _blocks(path, found.columns, columns)):
        for column in columns:
            values[column] += parse_block(block[column], schema[column]).values.to_pylist()
    return values


@pytest.mark.parametrize("name", DAMAGES)
def test_same_rows_are_readable_and_same_values_missing(copies, sent, streamed, name):
    for file in TOPICS:
        if isinstance(sent[name, file], DataError):
            continue
        rejected, values, unreadable = streamed[file][TS[name]]
        found = scan(copies[name], file, list(NEEDED[file]))
        assert {int(row) - 1 for rows in found.quarantined_rows for row in rows} == rejected
        of_check = checked_values(copies[name], file)
        assert {column: of_check[column] for column in values} == values
        assert {column: found.found[column].unreadable for column in values} == unreadable


@pytest.mark.parametrize("name", [name for name, (file, _) in DAMAGES.items() if file not in TOPICS])
def test_static_files_have_the_same_values(spark, copies, name):
    file = DAMAGES[name][0]
    try:
        of_check = checked_values(copies[name], file)
    except DataError:
        with pytest.raises(DataError):
            read_csv(spark, copies[name], file)
        return
    of_check.pop("product_metadata", None)
    of_spark = read_csv(spark, copies[name], file).select(*of_check).toPandas()
    assert {column: [value or None for value in of_check[column]] for column in of_check} == {
        column: [_plain(value) or None for value in of_spark[column]] for column in of_check
    }


@pytest.mark.parametrize("name", DAMAGES)
def test_same_verdict(spark, copies, sent, streamed, name):
    """`check` refuses what stops an engine, and what makes more than one in a hundred rows or values useless."""
    try:
        require_files(copies[name], NEEDED)
        refused = ""
    except DataError as error:
        refused = str(error)
    assert bool(refused) == _fails(spark, copies[name], name, sent, streamed), refused
    assert refused == "" or (refused.startswith(DAMAGES[name][0]) and "\n" not in refused)


def _fails(spark, folder, name, sent, streamed):
    if any(isinstance(sent[name, file], DataError) for file in TOPICS):
        return True
    file = DAMAGES[name][0]
    if file not in TOPICS:
        return _static_fails(spark, folder, file)
    rejected, _, unreadable = streamed[file][TS[name]]
    rows = len(sent[name, file])
    codes = {code for level in LEVELS.values() for code in level}
    events = streamed[EVENTS][TS[name]][1]
    strange = sum(code not in codes for code in events["event_type"])
    too_many = max(len(rejected), *unreadable.values()) > TOLERATED_SHARE * rows
    zones = {row["created_at"][23:] for row in sent[name, SOLD]}
    return too_many or strange > TOLERATED_SHARE * len(events["event_type"]) or len(zones) > 1 or _late(streamed, name)


def _late(streamed, name):
    """Whether more than one in a hundred transactions are earlier than their session's checkout."""
    events, sold = streamed[EVENTS][TS[name]][1], streamed[SOLD][TS[name]][1]
    rows = zip(events["session_id"], events["event_type"], events["event_time"], strict=True)
    checkout = {session: at for session, code, at in rows if code == "CO"}
    late = [
        at < checkout[session]
        for session, at in zip(sold["session_id"], sold["created_at"], strict=True)
        if session in checkout
    ]
    return sum(late) > TOLERATED_SHARE * len(sold["session_id"])


def _static_fails(spark, folder, file):
    try:
        rows = read_csv(spark, folder, file)
        if file in UNIQUE:
            require_unique(rows, UNIQUE[file], file)
    except DataError:
        return True
    names = [name for name in FILES[file] if name != "product_metadata"]
    text = read_csv(spark, folder, file, ", ".join(f"`{name}` string" for name in names))
    bad = [F.count_if(is_unreadable(F.col(name), FILES[file][name])).alias(name) for name in names]
    counts = text.select(*bad).first()
    return max(counts) > TOLERATED_SHARE * text.count()


# damages after which every value is still there
LOSSLESS = (
    "float ids in a column that nothing reads",
    "float ids of customers",
    "float ids of products",
    "leading zeros",
    "padded codes",
    "padded sessions",
    "NULL for a text",
    "booleans for 0 and 1",
    "T and Z",
    "a further column with line breaks",
    "empty rows of a spreadsheet",
)


@pytest.fixture(scope="module")
def undamaged(spark, shop_dir):
    """The features of the shop as it was, one row per transaction."""
    return features_of_new(spark, shop_dir).orderBy("transaction_id").collect()


@pytest.mark.parametrize("name", LOSSLESS)
def test_every_transaction_has_the_features_of_the_undamaged_files(spark, copies, undamaged, name):
    assert features_of_new(spark, copies[name]).orderBy("transaction_id").collect() == undamaged
    assert len(undamaged) > 100
