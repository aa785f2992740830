"""Damaged copies of a generated shop, one damage each, as people's programs leave them: made by a seeded random."""

import csv
import io
import random
import shutil
from collections.abc import Callable
from pathlib import Path

EVENTS, SOLD, PEOPLE, GOODS = "new_browsing_behaviour.csv", "new_transaction.csv", "customer.csv", "product.csv"
SEED = 13
Table = list[dict[str, str]]


def _each(column: str, function: Callable[[str], str], share: float = 1.0):
    """Another text in a share of the rows; the rows are drawn at random."""

    def damage(rows: Table, draw: random.Random) -> Table:
        chosen = set(draw.sample(range(len(rows)), round(share * len(rows))))
        return [row | {column: function(row[column])} if n in chosen else row for n, row in enumerate(rows)]

    return damage


def _floats_with_gaps(column: str):
    def damage(rows: Table, draw: random.Random) -> Table:
        gap = draw.randrange(7)
        return [row | {column: "" if n % 7 == gap else f"{row[column]}.0"} for n, row in enumerate(rows)]

    return damage


def _swapped(rows: Table, draw: random.Random) -> Table:
    place = next(n for n in range(draw.randrange(len(rows) // 2), len(rows)) if _later(rows[n], rows[n - 1]))
    return [*rows[: place - 1], rows[place], rows[place - 1], *rows[place + 1 :]]


def _later(row: dict[str, str], before: dict[str, str]) -> bool:
    return row["event_time"] > before["event_time"]


def _bytes(function: Callable[[bytes, random.Random], bytes]):
    function.of_bytes = True
    return function


def _line(number: Callable[[int, random.Random], int], function: Callable[[bytes], bytes]):
    """One line changed; ``number`` chooses it among the lines after the header."""

    @_bytes
    def damage(data: bytes, draw: random.Random) -> bytes:
        lines = data.splitlines(keepends=True)
        place = 1 + number(len(lines) - 1, draw)
        lines[place] = function(lines[place])
        return b"".join(lines)

    return damage


def _anywhere(count: int, draw: random.Random) -> int:
    return draw.randrange(count)


def _two_screens(data: bytes, draw: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    place = draw.randrange(1, len(lines) - 2)
    for n in (place, place + 1):
        fields = next(csv.reader([lines[n].decode()]))
        fields[6] = f'"Screen {24 + n}\\""'
        lines[n] = (",".join(fields) + "\n").encode()
    return b"".join(lines)


def _without_seconds(text: str) -> str:
    return text[:16]


# name -> file, damage
DAMAGES = {
    "float ids in a column that nothing reads": (EVENTS, _floats_with_gaps("customer_id")),
    "float ids of buyers": (SOLD, _floats_with_gaps("customer_id")),
    "float ids of customers": (PEOPLE, _each("customer_id", "{}.0".format)),
    "float ids of products": (GOODS, _each("id", "{}.0".format)),
    "float ids of categories": (GOODS, _floats_with_gaps("category_id")),
    "float ids of past buyers": ("transactions.csv", _floats_with_gaps("customer_id")),
    "leading zeros": (PEOPLE, _each("customer_id", "{:0>8}".format)),
    "padded codes": (EVENTS, _each("event_type", "{:<4}".format)),
    "padded sessions": (SOLD, _each("session_id", "\u00a0{} ".format, 0.5)),
    "padded numbers": (SOLD, _each("total_amount", "{:>12}".format)),
    "NULL for a number": (SOLD, _each("promo_amount", lambda text: "NULL", 0.4)),
    "NULL for a text": (SOLD, _each("promo_code", lambda text: text or "NULL")),
    "nan for a coordinate": (SOLD, _each("shipment_location_lat", lambda text: "nan", 0.2)),
    "\\N for a date": (PEOPLE, _each("birthdate", lambda text: "\\N", 0.1)),
    "booleans for 0 and 1": (SOLD, _each("clear_payment", lambda text: str(text == "1"))),
    "t and f for 0 and 1": (SOLD, _each("clear_payment", lambda text: "t" if text == "1" else "f")),
    "yes for 1": (SOLD, _each("clear_payment", lambda text: "yes" if text == "1" else "no")),
    "dates of a spreadsheet": (PEOPLE, _each("birthdate", lambda text: "/".join(reversed(text.split("-"))))),
    "dates with a time": (PEOPLE, _each("first_join_date", "{} 00:00:00".format)),
    "seconds gone": (EVENTS, _each("event_time", _without_seconds)),
    "T and Z": (SOLD, _each("created_at", lambda text: text.replace(" ", "T") + "Z")),
    "times of another zone in some rows": (SOLD, _each("created_at", "{}+07:00".format, 0.3)),
    "an hour of 24": (EVENTS, _each("event_time", lambda text: f"{text[:11]}24{text[13:]}", 0.001)),
    "milliseconds gone": (SOLD, _each("created_at", lambda text: text[:19])),
    "money with separators": (SOLD, _each("total_amount", lambda text: f"{float(text):,.0f}")),
    "negative quantities": (
        SOLD,
        _each("product_metadata", lambda text: text.replace("'quantity': ", "'quantity': -"), 0.3),
    ),
    "a word for a few numbers": (SOLD, _each("shipment_fee", lambda text: "free", 0.005)),
    "a word for some numbers": (SOLD, _each("shipment_fee", lambda text: "free", 0.05)),
    "a few event types that are none": (EVENTS, _each("event_type", lambda text: "PAY", 0.005)),
    "event types in small letters": (EVENTS, _each("event_type", str.lower)),
    "a broken cart": (SOLD, _each("product_metadata", lambda text: text[:-3], 0.03)),
    "carts in double quotes": (SOLD, _each("product_metadata", lambda text: text.replace("'", '"'))),
    "ids that are no numbers": (GOODS, _each("id", "SKU-{}".format)),
    "a column empty throughout": (PEOPLE, _each("gender", lambda text: "")),
    "coordinates empty throughout": (SOLD, _each("shipment_location_long", lambda text: "")),
    "empty sessions": (SOLD, _each("session_id", lambda text: "", 0.05)),
    "unsorted rows": (EVENTS, _swapped),
    "a further column with line breaks": (
        EVENTS,
        lambda rows, draw: [row | {"user\nagent": "Mozilla,\n5.0"} for row in rows],
    ),
    "empty rows of a spreadsheet": (SOLD, _bytes(lambda data, draw: data + b",,,,,,,,,,,,,\n" * draw.randint(1, 9))),
    "one byte of Windows": (GOODS, _line(_anywhere, lambda line: line.replace(b"e", b"\xc9", 1))),
    "a quote never closed": (SOLD, _line(_anywhere, lambda line: line.replace(b',"[', b',"x,"[', 1))),
    "a comma too many": (SOLD, _line(_anywhere, lambda line: line.replace(b",", b",,", 1))),
    "backslash escapes": (GOODS, _bytes(_two_screens)),
    "semicolons": (PEOPLE, _bytes(lambda data, draw: data.replace(b",", b";"))),
    "sep= first": (EVENTS, _bytes(lambda data, draw: b"sep=,\n" + data)),
    "UTF-16": (SOLD, _bytes(lambda data, draw: data.decode().encode("utf-16"))),
}


def damaged_copy(shop_dir: Path, folder: Path, name: str) -> Path:
    """A copy of the shop in ``folder`` with the damage ``name``; the same damage each time."""
    shutil.copytree(shop_dir, folder, ignore=shutil.ignore_patterns(".*"))
    file, damage = DAMAGES[name]
    path, draw = folder / file, random.Random(f"{SEED} {name}")
    if getattr(damage, "of_bytes", False):
        path.write_bytes(damage(path.read_bytes(), draw))
    else:
        rows = damage(list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline=""))), draw)
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return folder
