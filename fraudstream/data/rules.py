"""How the text of a CSV value is parsed: the rule for each type, in plain Python, without Spark.

Task 1, reconciliation and `check` use these functions; ``fraudstream.data.parsing`` implements the same rules as Spark
expressions, with the same patterns and words, and a test compares the two. Nothing is guessed: a text that matches no
rule is unreadable, and `check` counts it.
"""

import re
from datetime import date, datetime

from fraudstream.schemas import FRAUD_WORDS, HONEST_WORDS

# stripped from both ends of every value: databases pad codes, spreadsheets leave non-breaking spaces
PADDING = " \t\r\n\v\f\u00a0\ufeff"
# mean no value in a column of numbers, dates, times or booleans; case-insensitive
NOTHING = ("", "null", "none", "nan", "na", "n/a", "nat", "<na>", "#n/a", "\\n", "(null)")
# mean no value in a text column; case-sensitive: "NA" may be a promo code, "Null" a surname
NOTHING_TEXT = ("", "NULL", "null", "None", "NaN", "nan", "NaT", "<NA>", "#N/A", "\\N", "(null)")
# for 1 and 0 in an integer column; case-insensitive
TRUE_WORDS, FALSE_WORDS = ("true", "t"), ("false", "f")

_DAY = r"[1-9][0-9]{3}-[0-9]{1,2}-[0-9]{1,2}"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?"
_UTC = ("Z", "UTC", "GMT", "+00", "+00:00", "+0000", "-00:00")
_PAD = f"[{PADDING}]*"
# Group 1 is what is converted.
# Whole numbers: pandas writes 3886.0 where the column has gaps; 6.5E+04 is an id that a spreadsheet has rounded.
# Times: seconds may be missing; a zone is ignored, because the shop's clock has none. Dates: a time is ignored.
WHOLE = f"{_PAD}([+-]?[0-9]{{1,18}})(?:\\.0*)?{_PAD}"
NUMBER = f"{_PAD}([+-]?(?:[0-9]{{1,40}}(?:\\.[0-9]{{0,40}})?|\\.[0-9]{{1,40}})(?:[eE][+-]?[0-9]{{1,2}})?){_PAD}"
TIME = f"{_PAD}({_DAY}[ T]{_CLOCK}){_ZONE}{_PAD}"
DATE = f"{_PAD}({_DAY})(?:[ T]{_CLOCK}{_ZONE})?{_PAD}"
PATTERNS = {"int": WHOLE, "double": NUMBER, "timestamp": TIME, "date": DATE}
EXAMPLES = {
    "int": "a whole number like 3886",
    "double": "a number like 369512 or -6.2",
    "timestamp": "a time like 2024-01-01 00:21:45.282",
    "date": "a date like 1993-12-25",
    "boolean": "True or False, 1 or 0",
}
Value = str | int | float | bool | date | datetime | None

_COMPILED = {type_: re.compile(pattern) for type_, pattern in PATTERNS.items()}
_PARTS = re.compile(r"(\d+)-(\d+)-(\d+)(?:[ T](\d+):(\d+)(?::(\d+)(?:\.(\d+))?)?)?")


def clean(text: str) -> str:
    """A text column's value: without padding, and "" for the words of NOTHING_TEXT."""
    trimmed = text.strip(PADDING)
    return "" if trimmed in NOTHING_TEXT else trimmed


def is_nothing(text: str, type_: str) -> bool:
    """Whether ``text`` means no value in a column of ``type_``."""
    return clean(text) == "" if type_ == "string" else text.strip(PADDING).lower() in NOTHING


def parse(text: str, type_: str) -> Value:
    """``text`` as ``type_`` of the metadata; None if missing or unreadable, "" for an empty text.

    int (32 bits), double (finite), date, timestamp (naive, the shop's clock), boolean (no value is False), string.
    """
    if type_ == "string":
        return clean(text)
    word = text.strip(PADDING).lower()
    if type_ == "boolean":
        return True if word in FRAUD_WORDS else False if word in (*HONEST_WORDS, *NOTHING) else None
    match = _COMPILED[type_].fullmatch(text)
    if match is None:
        return _flag(word) if type_ == "int" else None
    if type_ == "int":
        number = int(match[1])
        return number if -(2**31) <= number < 2**31 else None
    return float(match[1]) if type_ == "double" else _moment(match[1], type_)


def parse_time(text: str) -> datetime:
    """A time such as ``2024-01-01 00:21:45.282`` as a datetime on the shop's clock.

    Raises ValueError for a text that is not a time.
    """
    moment = parse(text, "timestamp")
    if moment is None:
        raise ValueError(f"not a time: {text!r}")
    return moment


def zone(text: str) -> str:
    """The name of a time zone after a time: "UTC" for all its spellings, others such as +07:00 unchanged."""
    return "UTC" if text in _UTC else text


def _flag(word: str) -> int | None:
    return 1 if word in TRUE_WORDS else 0 if word in FALSE_WORDS else None


def _moment(text: str, type_: str) -> date | datetime | None:
    """Spelled out, because Python 3.10 reads fractions of 3 or 6 digits only."""
    *parts, fraction = _PARTS.fullmatch(text).groups()
    numbers = [int(part or 0) for part in parts]
    try:
        moment = datetime(*numbers, int(f"{(fraction or '')[:6]:0<6}"))
    except ValueError:
        return None
    return moment.date() if type_ == "date" else moment
