"""One definition of a readable row, twice: in Python for the reconciliation, in Spark for the stream. They agree."""

import json
import random
from datetime import datetime

import pytest
from pyspark.sql import functions as F

from fraudstream.data.readable import id_text, message_list, row_of, ts_of
from fraudstream.stream.ingest import ORIGIN, explode_messages, in_brackets
from fraudstream.stream.readable import JSON_OPTIONS, elements, is_readable_id, variant_row

GOOD = '{"transaction_id": "good", "ts": 1}'
IDS = [
    *('"a"', '"  a "', '""', '"\\ud800x"', '"\\ud83d\\ude00"', '"\\u0041"', '"a\\u0000b"', '"tab\\tx"', '"é"', "'a'"),
    *(
        '"[1]"',
        '"{}"',
        '"1.5"',
        '"1e5"',
        '"true"',
        '"null"',
        '"\\"Infinity\\""',
        '"Infinity"',
        '"NaN"',
        '"[1"',
        '"-3."',
    ),
    *("12", "-12", "-0", "0", "007", "1.5", "13.0", "1e5", "1E400", "-1e-7", "12345678.9", "9" * 30, "9" * 1500),
    *("true", "false", "null", "[]", "[1,2]", "{}", '{"a": 1}', '["a"]', "NaN", "Infinity", "-Infinity", "INF", "0x1F"),
    *('"raw\ttab"', "undefined", "", "+1", ".5", "1.", "-", '"\\x"'),
]
TIMES = ["1", "1.0", '"1"', "true", "null", "99999999999", "-1", "2147483647", "2147483648", "1e3", "[1]", "9" * 1500]
ELEMENTS = ['"text"', json.dumps(GOOD), json.dumps(f" {GOOD} "), json.dumps(GOOD + "x"), json.dumps(json.dumps(GOOD))]
ELEMENTS += [json.dumps("{'transaction_id': 'a'}"), "1", "1.5", "null", "true", "[]", f"[{GOOD}]", "{}", '"{}"', '""']
MESSAGES = [
    "",
    " ",
    "[]",
    " [ ] ",
    "[] []",
    "[],",
    "[]x",
    "[]]",
    f"[{GOOD}]]",
    "[[]",
    GOOD,
    f"[{GOOD},]",
    "[,]",
    "null",
]
MESSAGES += [
    "\ufeff[]",
    "// c\n[]",
    '["a"',
    f"[{GOOD}],[]",
    f'[{GOOD}], "x": 2',
    "[1 2]",
    '[{"a":1 "b":2}]',
    "1",
    '"[]"',
]
MESSAGES += [f'[{GOOD}],[{{"session_id":"end of the message 5f1c"}}]] x', f'[{GOOD}],"end of the message 5f1c"] x']
MESSAGES += ['[{"transaction_id": "a", "transaction_id": "b", "ts": 1}]', '[{"Transaction_id": "a", "TS": 1}]']
DEPTHS = [1, 400, 900, 996, 997, 998, 999, 1000, 2000]


def odd_messages():
    """Messages of an odd and a good row, and odd messages, in bytes."""
    texts = [f'[{{"transaction_id": {each}, "ts": 1}}, {GOOD}]' for each in IDS]
    texts += [f'[{GOOD}, {{"transaction_id": "a", "ts": {each}}}]' for each in TIMES]
    texts += [f"[{each}, {GOOD}]" for each in ELEMENTS]
    texts += [f'[{{"x": {"[" * depth}{"]" * depth}, "transaction_id": "a"}}, {GOOD}]' for depth in DEPTHS]
    texts += ["[" * depth + "]" * depth for depth in DEPTHS]
    return [text.encode() for text in texts + MESSAGES] + [b"[\xff]", b'["\xed\xa0\x80"]', b"\x00", b"[]\x00", None]


def by_python(value):
    """The rows as the reconciliation reads them: (position, id, ts), None and None for an element that is not a row."""
    read = message_list(value)
    if read is None:
        return None
    rows = [(position, row_of(element)) for position, element in enumerate(read)]
    return [
        (position, None if row is None else id_text(row.get("transaction_id")), None if row is None else ts_of(row))
        for position, row in rows
    ]


def by_spark(spark, values):
    """The same as the stream reads them, by the functions that its notebook calls."""
    records = [(value, "transactions", 0, number, datetime.now()) for number, value in enumerate(values)]
    source = spark.createDataFrame(
        records, "value binary, topic string, partition int, offset long, timestamp timestamp"
    )
    strings = "session_id: string, transaction_id: string, ts: int"
    lists = F.from_json(in_brackets("value"), f"array<array<struct<{strings}>>>", JSON_OPTIONS)
    rows = explode_messages(source.withColumn("lists", lists)).select("row.*", *ORIGIN)
    text = F.try_validate_utf8(F.col("value").cast("string"))
    readable = is_readable_id(F.col("transaction_id"), "transaction_id", variant_row(text, F.col("position")))
    found = [[] for _ in values]
    for row in rows.withColumn("id", F.when(readable, F.col("transaction_id"))).collect():
        found[row.offset].append((row.position, row.id, row.ts))
    numbered = source.select("offset", elements(text).isNull().alias("no_list")).where("no_list").collect()
    for row in numbered:
        found[row.offset] = None
    return found


def test_stream_and_reconciliation_read_odd_messages_alike(spark):
    values = odd_messages()
    assert len(values) >= 130
    expected = [by_python(value) for value in values]
    assert [(v, e, f) for v, e, f in zip(values, expected, by_spark(spark, values), strict=True) if e != f] == []


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('"a"', "a"),
        ("12", "12"),
        ("-0", "0"),
        ("9" * 1500, "9" * 1500),
        ('"1.5"', "1.5"),
        ("1.5", None),
        ("[1]", None),
        ('"[1]"', "[1]"),
        ("{}", None),
        ("true", None),
        ("null", None),
        ('"\\ud800x"', "?x"),
    ],
)
def test_an_id_is_a_string_or_a_whole_number_and_its_neighbours_go_on(text, read):
    value = f'[{{"transaction_id": {text}, "ts": 1}}, {GOOD}]'.encode()
    assert by_python(value) == [(0, read, 1), (1, "good", 1)]


def test_they_agree_on_ten_thousand_damaged_messages(spark):
    chance = random.Random(15)
    whole = odd_messages()
    pieces = [piece for value in whole if value for piece in (value[: len(value) // 2], value[len(value) // 2 :])]
    pieces = [piece for piece in pieces if len(piece) < 300] + [
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b":",
        b'"',
        b"1",
        b" ",
        b"\\",
    ]
    values = []
    while len(values) < 10_000:
        value = bytearray(chance.choice([value for value in whole if value and len(value) < 300]))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(value) + 1)
            value[at : at + chance.randint(0, 3)] = chance.choice(pieces) if chance.random() < 0.5 else b""
        values.append(bytes(value))
    expected = [by_python(value) for value in values]
    assert sum(each is not None for each in expected) > 1000
    assert [(v, e, f) for v, e, f in zip(values, expected, by_spark(spark, values), strict=True) if e != f] == []
