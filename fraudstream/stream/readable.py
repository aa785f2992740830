"""Which messages, rows and ids can be read, as Spark expressions; ``data.readable`` defines the rules."""

import secrets

from pyspark.sql import Column
from pyspark.sql import functions as F

from fraudstream.data.readable import MAX_DEPTH

# for every from_json of a message: strict JSON; a number of any length, so that it spoils its own row only
JSON_OPTIONS = {
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
    "maxNumLen": str(2**31 - 1),
    "maxNestingDepth": str(MAX_DEPTH + 1),  # with the brackets around it
}
# texts that from_json also makes of what is not a string or a whole number: only for these the JSON type is looked up
AMBIGUOUS = r"^([\[{\"]|-?[0-9.]+[.E]|true$|false$|-?Infinity$|NaN$)"

# nobody who writes messages can know it: one that contained it could pass for a list and be none
END = f"end of the message {secrets.token_hex(8)}"


def _in_brackets(text: Column) -> Column:
    """The message's text as the first of two elements of a list, the second END.

    from_json ignores what follows the first value: only a text that is exactly one value gives a list of it and END.
    """
    return F.concat(F.lit("["), text, F.lit(f',"{END}"]'))


def is_one_value(text: Column) -> Column:
    """Whether ``text`` is exactly one JSON value (boolean; null for null)."""
    pair = F.from_json(_in_brackets(text), "array<string>", JSON_OPTIONS)
    return F.coalesce((F.size(pair) == 2) & (F.get(pair, F.lit(1)) == END), F.lit(False))


def elements(text: Column) -> Column:
    """The JSON texts of the elements of a message's list (array<string>); null for a message that is not a list."""
    return F.from_json(F.when(is_one_value(text), text), "array<string>", JSON_OPTIONS)


def object_text(element: Column) -> Column:
    """The JSON text of the row that an element is (string); null for an element that is not a row."""
    is_object = element.rlike(r"^[ \t\n\r]*\{") & is_one_value(element)
    return F.when(is_object, element)


def is_ambiguous(text: Column) -> Column:
    """Whether ``text``, which from_json made of a value, leaves open of which JSON type it was (boolean)."""
    return text.rlike(AMBIGUOUS)


def is_readable_id(text: Column, name: str, row: Column) -> Column:
    """Whether ``text``, which from_json made of the id ``name``, was a JSON string or a whole number (boolean).

    ``row``: the row as variant (``variant_row``); only looked at where the text alone does not tell.
    """
    kind = F.schema_of_variant(F.try_variant_get(row, f"$.{name}", "variant"))
    return F.when(~is_ambiguous(text), True).otherwise(F.coalesce(kind == "STRING", F.lit(False)))


def variant_row(text: Column, position: Column) -> Column:
    """The element at ``position`` of the message with this text, as variant."""
    element = F.get(F.try_variant_get(F.try_parse_json(text), "$", "array<variant>"), position)
    inner = F.try_variant_get(element, "$", "string")
    return F.when(F.schema_of_variant(element) == "STRING", F.try_parse_json(inner)).otherwise(element)
