"""A file's strings as the metadata's types: the same expressions for files, stream and check (2.4)."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from fraudstream.schemas import FRAUD_WORDS, PRODUCT_METADATA, Schema

# The shop's clock is not Melbourne's: its times carry no zone, so that they are not shifted by daylight saving
SHOP_TIME = "timestamp_ntz"
# Spark can count to the year 294,247, Python's and pandas' times end with this one
TIMES, LAST_YEAR = ("timestamp", "date"), 9999


def parsed(text: Column, type_: str) -> Column:
    """The string column ``text`` as ``type_`` of the metadata; an empty string or an unreadable one gives null.

    So does a year that not every reader of the results can hold (before 1 or after LAST_YEAR).


    A plain cast would stop the stream at the first unreadable value (ANSI mode). Timestamps become SHOP_TIME, an array
    type is parsed as JSON, single quotes allowed.
    """
    if type_ == "string":
        return text
    if type_.startswith("array"):
        return F.from_json(text, type_)
    if type_ == "boolean":
        return F.lower(F.trim(text)).isin(*FRAUD_WORDS)
    value = text.try_cast(SHOP_TIME if type_ == "timestamp" else type_)
    if type_ in TIMES:
        return F.when(F.year(value).between(1, LAST_YEAR), value)
    return value


def parsed_columns(schema: Schema) -> list[Column]:
    """Each string column of ``schema`` under its own name and metadata type; product_metadata as array of structs."""
    types = {**schema, **({"product_metadata": PRODUCT_METADATA} if "product_metadata" in schema else {})}
    return [parsed(F.col(name), type_).alias(name) for name, type_ in types.items()]
