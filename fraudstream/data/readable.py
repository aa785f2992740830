"""Which messages, rows and ids are readable: the definition in plain Python (in Spark: ``stream.readable``).

- A message is a JSON list in UTF-8, at most MAX_DEPTH levels deep, and nothing after it. NaN and Infinity are not JSON.
- A row is an object in that list, or a string that holds exactly one object. Other elements are unreadable rows; their
  neighbours are not affected.
- An id is a JSON string or a whole number, and is used as text. A list, an object, a decimal number, true, false and
  null are not ids. Half of a surrogate pair, which no UTF-8 can hold, becomes "?".
- ts is a whole number of 32 bits.
"""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MAX_DEPTH = 999
# each level of JSON counts as a call in Python
CALLS = 2 * MAX_DEPTH + 1000
BIT_32 = range(-(2**31), 2**31)

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_HALF_PAIR = re.compile("[\ud800-\udfff]")
# longer whole numbers stay text: Python refuses to convert those of over 4,300 digits
_INT_DIGITS = 18


class Digits(str):
    """A whole number that is too long to be converted."""


class Decimal(str):
    """A number with a fraction or an exponent, as it was written."""


def message_list(value: bytes | None) -> list | None:
    """The list of a message; None for a message that is not one. Long and decimal numbers are Digits and Decimal."""
    try:
        text = (value or b"").decode("utf-8")
    except UnicodeDecodeError:
        return None
    parsed = _parsed(text)
    return parsed if isinstance(parsed, list) else None


def row_of(element: Any) -> dict | None:
    """The row that an element of a message's list is; None for an element that is not a row."""
    if type(element) is str:
        element = _parsed(element)
    return element if isinstance(element, dict) else None


def id_text(value: Any) -> str | None:
    """The text of an id; None for a value that is not one."""
    if isinstance(value, Decimal) or isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return _HALF_PAIR.sub("?", str(value))


def ts_of(row: dict) -> int | None:
    """The row's ts; None if it has none."""
    ts = row.get("ts")
    return ts if type(ts) is int and ts in BIT_32 else None


def _parsed(text: str) -> Any:
    """One JSON value; None for anything else."""
    if _depth(text) > MAX_DEPTH:
        return None
    try:
        with _enough_calls():
            return json.loads(text, parse_int=_whole, parse_float=Decimal, parse_constant=_refuse)
    except ValueError:
        return None


def _depth(text: str) -> int:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0  # cannot be too deep
    depth = deepest = 0
    for bracket in re.findall(r"[][{}]", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _whole(digits: str) -> int | Digits:
    return int(digits) if len(digits) <= _INT_DIGITS else Digits(digits)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


@contextmanager
def _enough_calls() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, CALLS))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
