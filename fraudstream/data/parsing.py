"""A file's strings as the metadata's types: the rules of ``fraudstream.data.rules`` as Spark expressions (2.4).

The stream, the static data and the training use them; `check` uses the same rules without Spark.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from fraudstream.data.rules import FALSE_WORDS, NOTHING, NOTHING_TEXT, PADDING, PATTERNS, TRUE_WORDS
from fraudstream.schemas import FRAUD_WORDS, HONEST_WORDS, PRODUCT_METADATA, Schema

# The shop's times have no zone, so that they are not shifted by Melbourne's daylight saving
SHOP_TIME = "timestamp_ntz"
# Spark's timestamps extend to the year 294,247, those of Python and pandas only to this one
TIMES, LAST_YEAR = ("timestamp", "date"), 9999


def parsed(text: Column, type_: str) -> Column:
    """The string column ``text`` as ``type_`` of the metadata; a missing or unreadable value becomes null.

    Text is trimmed; words such as NULL that mean no value become "". A plain cast would stop the stream at the first
    unreadable value (ANSI mode). Timestamps become SHOP_TIME; an array type is parsed as JSON, single quotes allowed.
    A year that some readers of the results cannot represent (before 1 or after LAST_YEAR) also becomes null.
    """
    if type_ == "string":
        trimmed = _trimmed(text)
        return F.when(trimmed.isin(*NOTHING_TEXT), "").otherwise(trimmed)
    if type_.startswith("array"):
        return F.from_json(text, type_)
    if type_ == "boolean":
        true, false = _word(text).isin(*FRAUD_WORDS), _word(text).isin(*HONEST_WORDS, *NOTHING)
        return F.when(true, True).when(false, False)
    readable = F.regexp_extract(text, f"^{PATTERNS[type_]}\\z", 1)
    value = readable.try_cast(SHOP_TIME if type_ == "timestamp" else type_)
    if type_ in TIMES:
        return F.when(F.year(value).between(1, LAST_YEAR), value)
    if type_ == "int":
        flag = F.when(_word(text).isin(*TRUE_WORDS), 1).when(_word(text).isin(*FALSE_WORDS), 0)
        return F.coalesce(value, flag)
    return value


def is_nothing(text: Column, type_: str) -> Column:
    """Whether the string column ``text`` holds no value of ``type_`` (boolean; null for null)."""
    return _trimmed(text).isin(*NOTHING_TEXT) if type_ == "string" else _word(text).isin(*NOTHING)


def is_unreadable(text: Column, type_: str) -> Column:
    """Whether ``text`` holds something that cannot be read as ``type_`` (boolean; null for null)."""
    return parsed(text, type_).isNull() & ~is_nothing(text, type_)


def parsed_columns(schema: Schema) -> list[Column]:
    """Each string column of ``schema`` under its own name and metadata type; product_metadata as array of structs."""
    types = {**schema, **({"product_metadata": PRODUCT_METADATA} if "product_metadata" in schema else {})}
    return [parsed(F.col(name), type_).alias(name) for name, type_ in types.items()]


def _trimmed(text: Column) -> Column:
    return F.btrim(text, F.lit(PADDING))


def _word(text: Column) -> Column:
    return F.lower(_trimmed(text))
