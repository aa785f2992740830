"""A column's block of texts as values, by the rules of ``fraudstream.data.rules`` and at the speed of Arrow.

Arrow converts texts in the metadata's format; the rules' own functions convert every other distinct text, once per
block. A test compares the result with Spark's on damaged files.
"""

import json
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudstream.data import rules

TYPES = {
    "int": pa.int32(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "string": pa.string(),
}
# what Arrow converts as the rules do; a subset of the rules' patterns
_USUAL = {
    "int": r"^[0-9]{1,9}$",
    "double": r"^-?[0-9]{1,17}(\.[0-9]{1,17})?$",
    "timestamp": r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?$",
    "date": r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}$",
    "boolean": r"^(True|False)$",
}
# variants written by other programs, and the parts removed to normalise them
_LEFT_OUT = {
    "int": (r"^([0-9]{1,9})\.0*$", r"\1"),
    "timestamp": (r"^([0-9-]{10}[ T][0-9:.]{5,15}) ?(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)$", r"\1"),
    "date": (r"^([0-9-]{10})[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?( ?(Z|UTC|GMT))?$", r"\1"),
}
_LONGEST_WORD = max(map(len, rules.NOTHING_TEXT))
_BEFORE_ZONE = r"^[0-9-]+[ T][0-9:.]+ ?"
_ITEM = r"\{'product_id': [0-9]{1,9}, 'quantity': [0-9]{1,9}, 'item_price': [0-9]{1,15}(\.[0-9]{1,9})?\}"
_USUAL_CART = rf"^\[({_ITEM}(, {_ITEM})*)?\]$"
_SINGLE_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")


@dataclass(frozen=True)
class Values:
    """A block of a column: typed values, null where there is none; the rows (masks) with a word for no value, such as
    NULL, and those with an unreadable text; ``zones``: of times, the zones after them, "" for none."""

    values: pa.Array
    words: np.ndarray
    unreadable: np.ndarray
    zones: frozenset[str] = frozenset({""})


def parse_block(texts: pa.StringArray, type_: str) -> Values:
    """The block ``texts`` (no nulls) as ``type_`` of the metadata."""
    if type_ == "string":
        trimmed = pc.utf8_trim(texts, characters=rules.PADDING)
        if (pc.min(pc.binary_length(trimmed)).as_py() or 0) > _LONGEST_WORD:
            nobody = np.zeros(len(texts), dtype=bool)
            return Values(trimmed, nobody, nobody)
        nothing = pc.is_in(trimmed, value_set=pa.array(rules.NOTHING_TEXT))
        words = _mask(pc.and_(nothing, pc.not_equal(trimmed, "")))
        return Values(pc.if_else(nothing, "", trimmed), words, np.zeros(len(texts), dtype=bool))
    texts = pc.utf8_trim(texts, characters=rules.PADDING)
    usual, values = _usual(texts, type_)
    if values is not None and _all(usual):
        nobody = np.zeros(len(texts), dtype=bool)
        return Values(values, nobody, nobody)
    if type_ in _LEFT_OUT:
        usual, values = _usual(pc.replace_substring_regex(texts, *_LEFT_OUT[type_]), type_)
    others = pc.if_else(usual, None, texts).dictionary_encode()
    distinct = others.dictionary.to_pylist()
    read = [rules.parse(text, type_) for text in distinct]
    nothing = [rules.is_nothing(text, type_) for text in distinct]
    words = [none and text != "" for none, text in zip(nothing, distinct, strict=True)]
    unreadable = [value is None and not none for value, none in zip(read, nothing, strict=True)]
    rest = pa.array(read, TYPES[type_]).take(others.indices)
    found = rest if values is None else pc.coalesce(values, rest)
    zones = _zones(texts.filter(found.is_valid())) if type_ == "timestamp" else frozenset()
    return Values(found, _of_distinct(words, others), _of_distinct(unreadable, others), zones)


def _zones(times: pa.Array) -> frozenset[str]:
    return frozenset(map(rules.zone, pc.unique(pc.replace_substring_regex(times, _BEFORE_ZONE, "")).to_pylist()))


def _all(usual: pa.Array) -> bool:
    return pc.all(usual, min_count=0).as_py()


def readable_carts(texts: pa.StringArray) -> np.ndarray:
    """The rows (mask) whose product_metadata is a list of items with product, quantity and price, as in the stream."""
    readable = _mask(pc.match_substring_regex(texts, _USUAL_CART))
    for place in np.flatnonzero(~readable):
        readable[place] = _is_cart(texts[int(place)].as_py())
    return readable


def _usual(texts: pa.StringArray, type_: str) -> tuple[pa.Array, pa.Array | None]:
    """The texts that Arrow converts (mask), and their values, null for the rest; no values at all if one is an invalid
    date, such as 30 February."""
    usual = pc.match_substring_regex(texts, _USUAL[type_])
    ours = texts if _all(usual) else pc.if_else(usual, texts, None)
    if type_ == "boolean":
        return usual, pc.equal(ours, "True")
    try:
        return usual, pc.cast(ours, TYPES[type_])
    except pa.ArrowInvalid:
        return pa.array(np.zeros(len(texts), dtype=bool)), None


def _of_distinct(flags: list[bool], others: pa.DictionaryArray) -> np.ndarray:
    """Expands a flag per distinct text to one per row; False for rows with none of these texts."""
    return _mask(pa.array(flags, pa.bool_()).take(others.indices).fill_null(False))


def _mask(flags: pa.Array) -> np.ndarray:
    return flags.to_numpy(zero_copy_only=False).astype(bool)


def _is_cart(text: str) -> bool:
    """As Spark's from_json with single quotes allowed: items with 32-bit product_id and quantity, and a price."""
    for json_text in (text, _SINGLE_QUOTED.sub(lambda match: json.dumps(match[1]), text)):
        try:
            items = json.loads(json_text)
        except (ValueError, RecursionError):
            continue
        return isinstance(items, list) and all(
            isinstance(item, dict)
            and _is_whole(item.get("product_id"))
            and _is_whole(item.get("quantity"))
            and type(item.get("item_price")) in (int, float)
            for item in items
        )
    return False


def _is_whole(value: object) -> bool:
    return type(value) is int and -(2**31) <= value < 2**31
