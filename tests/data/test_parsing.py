"""A text becomes a value by one rule, in Spark (stream, static data, training) and in Python (Task 1, `check`)."""

import pytest
from pyspark.sql import functions as F
from spellings import VALUES

from fraudstream.data import rules
from fraudstream.data.parsing import is_nothing, parsed
from fraudstream.data.rules import NOTHING, NOTHING_TEXT, parse


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
