"""Tables that change in place: one output, newest rows first, Melbourne time, escaped text."""

import re
from datetime import datetime

import pandas as pd
import pytest

from fraudstream.notebook import live
from fraudstream.notebook.live import WIDGET, LiveLines, LiveStatus, LiveTable
from fraudstream.notebook.render import BAR_COLOUR, PAGE_COLOUR, bars_over_time, melbourne_windows
from fraudstream.settings import MELBOURNE

NOON = datetime(2025, 4, 28, 12, 0, 35, tzinfo=MELBOURNE)


@pytest.fixture
def outputs(monkeypatch):
    """What the cell's outputs show in a page: display adds one, whose widget and whose saved form change."""
    shown = []

    class Output:
        def __init__(self, page):
            self.page, self.saved = page, [page]

        def update(self, bundle, raw):
            self.saved.append(bundle)

    def display(bundle, raw, display_id):
        shown.append(Output(bundle))
        return shown[-1]

    monkeypatch.setattr(live, "display", display)
    return shown


def page(output_or_table):
    """The HTML that the widget shows now."""
    return output_or_table._widget.value


def windows(*starts, seconds=30, **columns):
    starts = pd.to_datetime([f"2025-04-28T02:{start}+00:00" for start in starts])
    ends = starts + pd.Timedelta(seconds=seconds)
    return pd.DataFrame(
        {"window_start": map(pd.Timestamp.isoformat, starts), "window_end": [*map(str, ends)], **columns}
    )


def text(table):
    """The words of what ``table`` shows, without its style."""
    shown = re.sub(r"<style.*?</style>", "", page(table), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", shown).split())


def test_rows_are_replaced_in_one_output(outputs):
    table = LiveTable("Quantity")
    assert text(table) == "Quantity waiting for the first rows"
    for quantity in (1234, 5678):
        table.show(pd.DataFrame({"quantity": [quantity]}))
    assert len(outputs) == 1
    assert re.fullmatch(r"Quantity updated \d\d:\d\d:\d\d Melbourne time quantity 5,678", text(table))


def test_the_output_holds_widget_html_and_text(outputs):
    table = LiveTable("Quantity")
    table.show(pd.DataFrame({"quantity": [7]}))
    newest = outputs[0].saved[-1]
    assert newest[WIDGET]["model_id"] == table._widget.model_id
    assert newest["text/html"] == page(table)
    assert re.fullmatch(r"Quantity \(updated .*\)\n quantity\n        7", newest["text/plain"])


def test_the_saved_form_follows_at_intervals_and_when_frozen(outputs):
    table = LiveTable("Quantity")
    for quantity in (1, 2, 3):
        table.show(pd.DataFrame({"quantity": [quantity]}))
    assert [len(outputs[0].saved), "3" in text(table)] == [2, True]
    table.freeze()
    assert outputs[0].saved[-1]["text/html"] == page(table)


def test_windows_are_one_column_in_melbourne_time_and_one_that_has_not_ended_is_marked():
    rows, apart = melbourne_windows(windows("00:30", "00:00", quantity=[3, 2]), NOON)
    assert list(rows["window"]) == ["12:00:30 to 12:01:00, so far", "12:00:00 to 12:00:30"]
    assert (list(rows.columns), apart) == (["window", "quantity"], "")


def test_rows_of_one_window_have_it_beside_the_title(outputs):
    table = LiveTable("Top products")
    table.show(windows("00:00", "00:00", quantity=[7, 5]))
    assert "Top products 12:00:00 to 12:00:30 \u00b7 updated" in text(table)
    assert text(table).endswith("quantity 7 5")


def test_text_is_escaped_and_an_unknown_name_is_left_empty(outputs):
    table = LiveTable("Top")
    table.show(pd.DataFrame({"product_id": [12345, 2], "product_name": ["<b>O'Neill & Co</b>", None]}))
    assert "&lt;b&gt;O&#x27;Neill &amp; Co&lt;/b&gt;" in page(table)
    assert text(table).endswith("product id product name 12345 &lt;b&gt;O&#x27;Neill &amp; Co&lt;/b&gt; 2")


def test_a_table_of_many_columns_scrolls_sideways(outputs):
    few, many = LiveTable("Few"), LiveTable("Many")
    few.show(pd.DataFrame([{"a": 1, "b": "x"}]))
    many.show(pd.DataFrame([dict.fromkeys("abcdefg", "a long text")]))
    assert 'class="wide"' not in page(few)
    assert 'class="wide"' in page(many)


def test_numbers_are_at_the_right(outputs):
    table = LiveTable("Top")
    table.show(pd.DataFrame({"product_name": ["Shirt"], "rows/s in": [1234.56]}))
    style = re.search(r"#T_(\S+) \.col1 \{\s*text-align: right", page(table))
    assert f'id="T_{style.group(1)}"' in page(table)
    assert text(table).endswith("Shirt 1,234.6")


def test_chart_holds_all_windows_and_the_table_the_newest(outputs):
    rows = windows(*(f"{minute:02}:00" for minute in range(40, 0, -1)), frauds=range(40, 0, -1))
    table = LiveTable("Frauds", chart="frauds", shown=3)
    table.show(rows)
    assert text(table).endswith("12:40:00 to 12:40:30 40 12:39:00 to 12:39:30 39 12:38:00 to 12:38:30 38")
    assert page(table).count(f"fill: {BAR_COLOUR}") == 40


def test_chart_takes_the_colour_of_the_page():
    svg = bars_over_time(windows("00:00", frauds=[3]), "frauds")
    assert svg.startswith("<svg") and "currentColor" in svg and PAGE_COLOUR not in svg


def test_headline_and_facts_are_above_the_table(outputs):
    table = LiveTable("Health")
    table.show(pd.DataFrame({"late": [1]}), headline="2 flagged", facts={"seconds": "0.9"})
    assert text(table).endswith("Melbourne time 2 flagged 0.9 seconds late 1")


def test_without_rows_only_the_headline_is_shown(outputs):
    table = LiveTable("Frauds", chart="frauds")
    table.show(windows(frauds=[]), headline="0 flagged")
    assert re.fullmatch(r"Frauds updated \d\d:\d\d:\d\d Melbourne time 0 flagged", text(table))


def test_the_status_says_state_detail_and_figures(outputs):
    status = LiveStatus()
    status.show("idle", "no message for 20 s", "predicted 5")
    assert text(status) == "idle no message for 20 s \u00b7 predicted 5"
    assert 'class="state "' in page(status)


def test_of_many_lines_the_first_and_the_newest_are_shown(outputs):
    show = LiveLines(first=1, newest=2)
    for number in range(1, 7):
        show(f"batch {number}")
    assert text(show) == "batch 1 ... 3 more ... batch 5 batch 6"


def test_a_note_replaces_the_note_before_and_goes_with_the_next_line(outputs):
    show = LiveLines()
    for seconds in (1, 2):
        show.note(f"Waiting for Kafka since {seconds} s")
    assert text(show) == "Waiting for Kafka since 2 s"
    show("batch 1")
    assert text(show) == "batch 1"
