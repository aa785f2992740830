"""A text becomes a value by one rule, in Spark (stream, static data, training) and in Python (Task 1, `check`)."""

from datetime import date, datetime

import pytest
from pyspark.sql import functions as F

from fraudstream.data import rules
from fraudstream.data.parsing import is_nothing, parsed
from fraudstream.data.rules import NOTHING, NOTHING_TEXT, parse

# type -> text -> value
VALUES = {
    "int": {
        "7": 7,
        " 7 ": 7,
        "\u00a07\t": 7,
        "007": 7,
        "+7": 7,
        "-7": -7,
        "3886.0": 3886,
        "3886.": 3886,
        "3886.00 ": 3886,
        "True": 1,
        "false": 0,
        "T": 1,
        "": None,
        "7.5": None,
        "seven": None,
        "SKU-13": None,
        "9999999999": None,
        "2147483648": None,
        "-2147483648": -(2**31),
        "1e3": None,
        "6.5E+04": None,
        "1,000": None,
        "yes": None,
        "0x1F": None,
        "7\x00": None,
        "7\u2028": None,
        "٣": None,
    },
    "double": {
        "7.5": 7.5,
        "1e3": 1000.0,
        "-.5": -0.5,
        "5.": 5.0,
        " 369512 ": 369512.0,
        "": None,
        "7,5": None,
        "369,512": None,
        "1,369,512": None,
        "Rp 5": None,
        "Infinity": None,
        "1e400": None,
        "1" * 400: None,
        "1d": None,
        "0x1p3": None,
        "True": None,
    },
    "date": {
        "2024-02-29": date(2024, 2, 29),
        "1993-12-25 00:00:00": date(1993, 12, 25),
        "1993-12-25T00:00:00.000Z": date(1993, 12, 25),
        "1993-2-5": date(1993, 2, 5),
        "": None,
        "2023-02-29": None,
        "29/02/2024": None,
        "12/25/1993": None,
        "34328": None,
        "1993": None,
    },
    "timestamp": {
        "2024-01-01 00:21:45.282": datetime(2024, 1, 1, 0, 21, 45, 282000),
        "2024-01-01T00:21:45.282Z": datetime(2024, 1, 1, 0, 21, 45, 282000),
        "2024-01-01 00:21:45+07:00": datetime(2024, 1, 1, 0, 21, 45),
        "2024-01-01 00:21:45 +0700": datetime(2024, 1, 1, 0, 21, 45),
        "2024-01-01 00:21:45 UTC": datetime(2024, 1, 1, 0, 21, 45),
        "2024-01-01 00:00": datetime(2024, 1, 1),
        "2024-1-1 0:21": datetime(2024, 1, 1, 0, 21),
        "2024-01-01 00:00:00.123456789": datetime(2024, 1, 1, 0, 0, 0, 123456),
        "2023-10-01 02:30:00": datetime(2023, 10, 1, 2, 30),
        "": None,
        "2024-01-01": None,
        "2024-01-01 25:00:00": None,
        "2024-01-01 24:00:00": None,
        "2024-02-30 00:00:00": None,
        "01/01/2024 00:21": None,
        "294000-01-01 00:00:00": None,
        "1704067305": None,
        "yesterday": None,
    },
    "boolean": {
        "True": True,
        "true": True,
        "1": True,
        " TRUE ": True,
        "t": True,
        "1.0": True,
        "False": False,
        "0": False,
        "": False,
        "NULL": False,
        "yes": None,
        "2": None,
    },
    "string": {
        "": "",
        "  ": "",
        " a ": "a",
        "CO  ": "CO",
        "a  b": "a  b",
        "NULL": "",
        " nan ": "",
        "\\N": "",
        "NA": "NA",
        "Null": "Null",
        "back\\slash": "back\\slash",
        "123": "123",
    },
}


@pytest.mark.parametrize("type_", VALUES)
def test_a_text_becomes_what_the_metadata_says_and_nothing_where_it_cannot(type_):
    found = {text: parse(text, type_) for text in VALUES[type_]}
    assert {text: repr(value) for text, value in found.items()} == {
        text: repr(value) for text, value in VALUES[type_].items()
    }


@pytest.mark.parametrize("type_", VALUES)
def test_spark_reads_every_text_as_python_does(spark, type_):
    """Also every text of the other types, and every word for nothing with and without padding."""
    words = {word for texts in VALUES.values() for word in texts} | {*NOTHING, *NOTHING_TEXT}
    texts = sorted({each for word in words for each in (word, f" {word}", f"{word}  ", word.upper(), word.title())})
    rows = spark.createDataFrame([(text,) for text in texts], "text string")
    column = F.col("text")
    found = rows.select(column, parsed(column, type_), is_nothing(column, type_)).collect()
    expected = [(text, parse(text, type_), rules.is_nothing(text, type_)) for text in texts]
    assert list(map(repr, map(tuple, found))) == list(map(repr, expected))


@pytest.mark.parametrize("type_", VALUES)
def test_a_value_that_is_missing_stays_missing(spark, type_):
    row = spark.createDataFrame([(None,)], "text string").select(parsed(F.col("text"), type_)).first()
    assert row[0] is None
