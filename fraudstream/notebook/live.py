"""Tables (2.7) and lines (1.4) that change in place in a notebook: one output, updated by whoever owns it."""

import html
import io
import re
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime

import matplotlib.dates as dates
import numpy as np
import pandas as pd
from IPython.display import HTML, display
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pandas.api.types import is_float_dtype, is_numeric_dtype

from fraudstream.settings import MELBOURNE

WINDOW = ["window_start", "window_end"]
BAR_COLOUR, CELL_BAR_COLOUR = "#d1495b", "#3d7fc455"
# stands in the SVG wherever the page's own text colour shall be, so that it suits light and dark themes
PAGE_COLOUR = "#808890"
CHART_INCHES, LEAST_BARS = (7.6, 1.5), 15
MOMENTS = 8
NUMBER_CELL, BAR_CELL = "width: 90px;", "width: 220px;"
# colours are the page's own or half transparent: the same in light and dark themes
STYLE = """<style>
.fraudstream { max-width: 760px; margin: 4px 0 12px; font-size: 13px; line-height: 1.45; }
.fraudstream .head { display: flex; justify-content: space-between; gap: 24px; padding-bottom: 6px;
  border-bottom: 1px solid rgba(128, 128, 128, .45); }
.fraudstream .title { font-size: 15px; font-weight: 600; }
.fraudstream .note { opacity: .7; white-space: nowrap; padding-top: 2px; }
.fraudstream .facts { display: flex; flex-wrap: wrap; gap: 6px 22px; padding: 10px 8px 2px; }
.fraudstream .facts b { display: block; font-size: 18px; font-weight: 600; font-variant-numeric: tabular-nums; }
.fraudstream .facts span { opacity: .7; }
.fraudstream svg { display: block; width: 100%; height: auto; margin-top: 8px; color: inherit; }
.fraudstream svg text { font-family: inherit !important; opacity: .75; }
.fraudstream.fraudstream table { width: 100%; margin: 6px 0 0; border-collapse: collapse; border: none;
  font-size: 13px; font-variant-numeric: tabular-nums; table-layout: auto; }
.fraudstream.fraudstream th { font-weight: 400; opacity: .7; white-space: nowrap; }
.fraudstream.fraudstream th, .fraudstream.fraudstream td { border: none; padding: 3px 8px; text-align: left;
  vertical-align: top; border-bottom: 1px solid rgba(128, 128, 128, .18); color: inherit; max-width: none; }
</style>"""


class LiveTable:
    """A titled table in the output of the cell that makes it; ``show`` replaces its rows, from any thread.

    There is one output, which never grows: an update replaces what is shown, it adds nothing. With ``chart``, a column
    of numbers, the rows' newest windows are also drawn as bars over time, and ``shown`` of them stand in the table.
    With ``bar``, a column of numbers, each cell of it has a bar in proportion. What comes within ``every_s`` seconds
    after the last update is not shown. Where every update is shown, the moments of the newest stand below the table.
    """

    def __init__(self, title: str, *, chart: str = "", bar: str = "", shown: int = 20, every_s: float = 0) -> None:
        self.title, self.chart, self.bar, self.shown, self.every_s = title, chart, bar, shown, every_s
        self._next = 0.0
        self._moments: deque[str] = deque(maxlen=MOMENTS)
        self._handle = display(HTML(self._page("waiting for the first rows")), display_id=True)

    def show(self, rows: pd.DataFrame, facts: Mapping[str, str] | None = None) -> None:
        """Shows ``rows`` (newest first) in place of the ones before, with the time of this update.

        window_start and window_end (UTC, ISO 8601) become one column in Melbourne time, or stand beside the title where
        all rows are of one window. ``facts``, name -> value, stand above the table in large letters.
        """
        if time.monotonic() < self._next:
            return
        self._next, now = time.monotonic() + self.every_s, datetime.now(MELBOURNE)
        chart = bars_over_time(rows, self.chart) if self.chart and len(rows) else ""
        rows, window = melbourne_windows(rows.head(self.shown), now)
        self._moments.append(f"{now:%H:%M:%S}")
        foot = "" if self.every_s else f'<div class="note">Newest updates: {", ".join(self._moments)}</div>'
        body = _facts(facts or {}) + chart + _table(rows, self.bar) + foot
        note = f"{window} \u00b7 " if window else ""
        self._handle.update(HTML(self._page(f"{note}updated {now:%H:%M:%S} Melbourne time", body)))

    def _page(self, note: str, body: str = "") -> str:
        title, note = html.escape(self.title), html.escape(note)
        head = f'<div class="head"><span class="title">{title}</span><span class="note">{note}</span></div>'
        return f'{STYLE}<div class="fraudstream">{head}{body}</div>'


class LiveLines:
    """The first and the newest of many lines of text, in one output that does not grow. Called like print."""

    def __init__(self, first: int = 3, newest: int = 12) -> None:
        self._first, self._newest, self._left_out = first, newest, 0
        self._lines: list[str] = []
        self._handle = display({"text/plain": ""}, raw=True, display_id=True)

    def __call__(self, line: object) -> None:
        """Shows one more line, and leaves the oldest out that are not among the first."""
        self._lines.append(str(line))
        if len(self._lines) > self._first + self._newest:
            del self._lines[self._first]
            self._left_out += 1
        gap = [f"... {self._left_out:,} more ..."] if self._left_out else []
        lines = [*self._lines[: self._first], *gap, *self._lines[self._first :]]
        self._handle.update({"text/plain": "\n".join(lines)}, raw=True)


def melbourne_windows(rows: pd.DataFrame, now: datetime) -> tuple[pd.DataFrame, str]:
    """``rows`` with window_start and window_end as one column, from and to in Melbourne time; or apart, if all are one.

    A window that has not ended ``now`` is marked: its numbers still grow.
    """
    if "window_start" not in rows or rows.empty:
        return rows, ""
    start, end = (pd.to_datetime(rows[name], utc=True).dt.tz_convert(MELBOURNE) for name in WINDOW)
    window = start.dt.strftime("%H:%M:%S") + " to " + end.dt.strftime("%H:%M:%S")
    window = window.where(end <= now, window + ", so far")
    rows = rows.drop(columns=WINDOW)
    if len(rows) > 1 and window.nunique() == 1:
        return rows, window.iloc[0]
    rows.insert(0, "window", window)
    return rows, ""


def bars_over_time(rows: pd.DataFrame, column: str) -> str:
    """``column`` of ``rows`` as bars at their window_end (Melbourne time): an SVG to stand in a page."""
    ends = dates.date2num(pd.to_datetime(rows["window_end"], utc=True))
    step = min(np.diff(np.sort(ends)), default=10 / dates.SEC_PER_DAY)
    figure = Figure(figsize=CHART_INCHES)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.07, right=0.995, top=0.86, bottom=0.17)
    axes.bar(ends, rows[column], width=0.8 * step, color=BAR_COLOUR)
    axes.set_ylim(0, max(4, 1.1 * rows[column].max()))
    axes.set_xlim(ends.min() - step, max(ends.max() + step, ends.min() + LEAST_BARS * step))
    axes.set_title(f"{column}, by the end of the window", loc="left", fontsize=9, color=PAGE_COLOUR)
    axes.xaxis.set_major_locator(dates.AutoDateLocator(tz=MELBOURNE, minticks=5, maxticks=11))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S", tz=MELBOURNE))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.tick_params(length=0, labelsize=9, colors=PAGE_COLOUR)
    axes.grid(axis="y", color=PAGE_COLOUR, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set(color=PAGE_COLOUR, alpha=0.5)
    drawn = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": column}):
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return drawn.getvalue().partition("<svg")[2].join(("<svg", "")).replace(PAGE_COLOUR, "currentColor")


def _facts(facts: Mapping[str, str]) -> str:
    if not facts:
        return ""
    each = (f"<div><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>" for name, value in facts.items())
    return f'<div class="facts">{"".join(each)}</div>'


def _table(rows: pd.DataFrame, bar: str) -> str:
    formats, styles = {}, []
    for number, name in enumerate(rows):
        if is_numeric_dtype(rows[name]) and not name.endswith("_id"):
            formats[name] = "{:,.1f}" if is_float_dtype(rows[name]) else "{:,.0f}"
            width = BAR_CELL if name == bar else NUMBER_CELL
            styles.append({"selector": f".col{number}", "props": f"text-align: right; white-space: nowrap; {width}"})
        else:
            formats[name] = lambda value: html.escape(str(value))
    table = rows.style.hide(axis="index").format(formats, na_rep="").format_index(_words, axis=1)
    if bar in rows and len(rows):
        table = table.bar(subset=[bar], color=CELL_BAR_COLOUR, vmin=0, width=75, height=70)
    return table.set_table_styles(styles).to_html(table_uuid=re.sub(r"\W+", "-", "-".join(rows)))


def _words(column: str) -> str:
    return html.escape(column.replace("_", " "))
