"""`check` reads a block of a column as the rules do, text by text."""

import pyarrow as pa
import pytest
from spellings import VALUES

from fraudstream.data import rules
from fraudstream.data.check.columns import parse_block, readable_carts

WORDS = {word for texts in VALUES.values() for word in texts} | {*rules.NOTHING, *rules.NOTHING_TEXT}
TEXTS = sorted({each for word in WORDS for each in (word, f" {word}", f"{word}  ", word.upper(), f"{word}Z")})
CARTS = {
    "[{'product_id': 1, 'quantity': 2, 'item_price': 5}, {'product_id': 2, 'quantity': 1, 'item_price': 5.5}]": True,
    '[{"product_id": 1, "quantity": -2, "item_price": 5}]': True,
    '[{"product_id": 1, "quantity": 2}]': False,
    "[]": True,
    "[{'product_id': 1}]": False,
    "[{'product_id': 13.0, 'quantity': 1, 'item_price': 5}]": False,
    "[{'product_id': 'x', 'quantity': 1}]": False,
    "[{'product_id': 1, 'quantity': 99999999999}]": False,
    "[{'product_id': 1, 'quantity': 1": False,
    "{'product_id': 1, 'quantity': 1}": False,
    "two shirts": False,
}


def blocks(type_):
    """All texts at once, each by itself, and those that can be read."""
    return [TEXTS, *([text] for text in TEXTS), [text for text in TEXTS if rules.parse(text, type_) is not None]]


@pytest.mark.parametrize("type_", VALUES)
def test_a_block_has_the_values_of_its_texts(type_):
    for texts in blocks(type_):
        found = parse_block(pa.array(texts, pa.string()), type_)
        assert list(map(repr, found.values.to_pylist())) == [repr(rules.parse(text, type_)) for text in texts]
        nothing = [rules.is_nothing(text, type_) for text in texts]
        assert list(found.words) == [
            none and text.strip(rules.PADDING) != "" for none, text in zip(nothing, texts, strict=True)
        ]
        unreadable = [rules.parse(text, type_) is None and not none for none, text in zip(nothing, texts, strict=True)]
        assert list(found.unreadable) == unreadable


@pytest.mark.parametrize(
    ("texts", "zones"),
    [
        (["2024-01-01 00:21:45.282"], {""}),
        (["2024-01-01T00:21:45Z", " 2024-01-01 00:21 UTC", "2024-01-01 00:21+0000"], {"UTC"}),
        (["2024-01-01 00:21", "2024-01-01 00:21+07:00", "", "soon"], {"", "+07:00"}),
    ],
)
def test_the_zones_of_a_block_of_times(texts, zones):
    assert parse_block(pa.array(texts), "timestamp").zones == zones


def test_carts_that_the_stream_can_read():
    assert dict(zip(CARTS, readable_carts(pa.array(list(CARTS))), strict=True)) == CARTS
