"""Tables that change in place: one output, newest first, in Melbourne's time, whatever the rows hold."""

import re
from datetime import datetime

import pandas as pd
import pytest

from fraudstream.notebook import live
from fraudstream.notebook.live import LiveLines, LiveTable, bars_over_time, melbourne_windows
from fraudstream.settings import MELBOURNE

NOON = datetime(2025, 4, 28, 12, 0, 35, tzinfo=MELBOURNE)


@pytest.fixture
def outputs(monkeypatch):
    """What the cell's outputs show: display adds one, its handle replaces it."""
    shown = []

    class Handle:
        def __init__(self, place):
            self.place = place

        def update(self, page, raw=False):
            shown[self.place] = page["text/plain"] if raw else page.data

    def display(page, display_id, raw=False):
        shown.append(page["text/plain"] if raw else page.data)
        return Handle(len(shown) - 1)

    monkeypatch.setattr(live, "display", display)
    return shown


def windows(*starts, seconds=30, **columns):
    starts = pd.to_datetime([f"2025-04-28T02:{start}+00:00" for start in starts])
    ends = starts + pd.Timedelta(seconds=seconds)
    return pd.DataFrame(
        {"window_start": map(pd.Timestamp.isoformat, starts), "window_end": [*map(str, ends)], **columns}
    )


def text(page):
    """The words of a page, without its style and the moments of its updates."""
    return FOOT.sub("", words(page))


def words(page):
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)).split())


FOOT = re.compile(r" Newest updates: (\d\d:\d\d:\d\d(, )?)+$")


def test_rows_are_replaced_in_one_output(outputs):
    table = LiveTable("Quantity")
    assert text(outputs[0]) == "Quantity waiting for the first rows"
    for quantity in (1234, 5678):
        table.show(pd.DataFrame({"quantity": [quantity]}))
    assert len(outputs) == 1
    assert re.fullmatch(r"Quantity updated \d\d:\d\d:\d\d Melbourne time quantity 5,678", text(outputs[0]))


def test_moments_of_the_newest_updates_stand_below(outputs):
    table = LiveTable("Quantity")
    for _ in range(10):
        table.show(pd.DataFrame({"quantity": [1]}))
    assert len(FOOT.search(words(outputs[0]))[0].split(", ")) == 8


def test_windows_are_one_column_in_melbourne_time_and_one_that_has_not_ended_is_marked():
    rows, apart = melbourne_windows(windows("00:30", "00:00", quantity=[3, 2]), NOON)
    assert list(rows["window"]) == ["12:00:30 to 12:01:00, so far", "12:00:00 to 12:00:30"]
    assert (list(rows.columns), apart) == (["window", "quantity"], "")


def test_rows_of_one_window_have_it_beside_the_title(outputs):
    LiveTable("Top products").show(windows("00:00", "00:00", quantity=[7, 5]))
    assert "Top products 12:00:00 to 12:00:30 \u00b7 updated" in text(outputs[0])
    assert text(outputs[0]).endswith("quantity 7 5")


def test_text_is_escaped_and_an_unknown_name_is_left_empty(outputs):
    LiveTable("Top").show(pd.DataFrame({"product_id": [12345, 2], "product_name": ["<b>O'Neill & Co</b>", None]}))
    assert "<td" in outputs[0]
    assert "&lt;b&gt;O&#x27;Neill &amp; Co&lt;/b&gt;" in outputs[0]
    assert text(outputs[0]).endswith("product id product name 12345 &lt;b&gt;O&#x27;Neill &amp; Co&lt;/b&gt; 2")


def test_numbers_stand_at_the_right(outputs):
    LiveTable("Top").show(pd.DataFrame({"product_name": ["Shirt"], "rows/s in": [1234.56]}))
    style = re.search(r"#T_(\S+) \.col1 \{\s*text-align: right", outputs[0])
    assert f'id="T_{style.group(1)}"' in outputs[0]
    assert text(outputs[0]).endswith("Shirt 1,234.6")


def test_chart_holds_all_windows_and_the_table_the_newest(outputs):
    rows = windows(*(f"{minute:02}:00" for minute in range(40, 0, -1)), frauds=range(40, 0, -1))
    LiveTable("Frauds", chart="frauds", shown=3).show(rows)
    assert text(outputs[0]).endswith("12:40:00 to 12:40:30 40 12:39:00 to 12:39:30 39 12:38:00 to 12:38:30 38")
    assert outputs[0].count(f"fill: {live.BAR_COLOUR}") == 40


def test_chart_takes_the_colour_of_the_page():
    svg = bars_over_time(windows("00:00", frauds=[3]), "frauds")
    assert svg.startswith("<svg") and "currentColor" in svg and live.PAGE_COLOUR not in svg


def test_what_comes_too_soon_is_not_shown(outputs):
    table = LiveTable("Health", every_s=60)
    for number in (1, 2):
        table.show(pd.DataFrame({"late": [number]}), {"seconds": "0.9"})
    assert text(outputs[0]).endswith("Melbourne time 0.9 seconds late 1")


def test_without_rows_it_says_so_much(outputs):
    LiveTable("Frauds", chart="frauds").show(windows(frauds=[]))
    assert re.fullmatch(r"Frauds updated \d\d:\d\d:\d\d Melbourne time.*frauds", text(outputs[0]))


def test_of_many_lines_the_first_and_the_newest_are_shown(outputs):
    show = LiveLines(first=1, newest=2)
    for number in range(1, 7):
        show(f"batch {number}")
    assert outputs == ["batch 1\n... 3 more ...\nbatch 5\nbatch 6"]
