"""Rendering of rows in a page: a styled table, bars over time, figures in large letters. HTML only, no state."""

import html
import io
import re
from collections.abc import Mapping
from datetime import datetime

import matplotlib.dates as dates
import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pandas.api.types import is_float_dtype, is_numeric_dtype

from fraudstream.settings import MELBOURNE

WINDOW = ["window_start", "window_end"]
BAR_COLOUR, CELL_BAR_COLOUR = "#d1495b", "#3d7fc455"
# replaced by the page's own text colour in the SVG, so that it suits light and dark themes
PAGE_COLOUR = "#808890"
WIDE_COLUMNS = 6
CHART_INCHES, LEAST_BARS = (7.6, 1.5), 15
NUMBER_CELL, BAR_CELL = "width: 90px;", "width: 220px;"
# colours are the page's own or half transparent: the same in light and dark themes
STYLE = """<style>
.fraudstream { max-width: 760px; margin: 4px 0 12px; font-size: 13px; line-height: 1.45; }
.fraudstream .head { display: flex; justify-content: space-between; gap: 24px; padding-bottom: 6px;
  border-bottom: 1px solid rgba(128, 128, 128, .45); }
.fraudstream .title { font-size: 15px; font-weight: 600; }
.fraudstream .note { opacity: .7; white-space: nowrap; padding-top: 2px; }
.fraudstream .state { display: inline-block; padding: 0 8px; border-radius: 9px; color: #fff; font-weight: 600;
  margin-right: 8px; background: #5f6b76; }
.fraudstream .state.running { background: #2a7d4f; } .fraudstream .state.bad { background: #b3261e; }
.fraudstream .headline { font-size: 15px; padding-top: 8px; }
.fraudstream.fraudstream pre { margin: 0; font: 12px/1.5 monospace; white-space: pre; overflow-x: auto; color: inherit;
  background: none; }
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
.fraudstream.lines { max-width: none; }
.fraudstream .wide { overflow-x: auto; }
.fraudstream.fraudstream .wide td { white-space: nowrap; }
</style>"""


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
    """``column`` of ``rows`` as bars at their window_end (Melbourne time): an SVG for use in a page."""
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


def facts_line(facts: Mapping[str, str]) -> str:
    """``facts``, name -> value, as HTML: values in large letters, names below them; empty without any."""
    if not facts:
        return ""
    each = (f"<div><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>" for name, value in facts.items())
    return f'<div class="facts">{"".join(each)}</div>'


def styled_table(rows: pd.DataFrame, bar: str) -> str:
    """``rows`` as HTML: numbers at the right, with thousands separators; ``bar``: the column with bars in its cells.

    A table of many columns has one line per row and scrolls sideways.
    """
    formats, styles = {}, []
    for number, name in enumerate(rows):
        if is_numeric_dtype(rows[name]) and not name.endswith("_id") and name != "ts":
            digits = 0 if not is_float_dtype(rows[name]) else 3 if name == "probability" else 1
            formats[name] = f"{{:,.{digits}f}}"
            width = BAR_CELL if name == bar else NUMBER_CELL
            styles.append({"selector": f".col{number}", "props": f"text-align: right; white-space: nowrap; {width}"})
        else:
            formats[name] = lambda value: html.escape(str(value))
    table = rows.style.hide(axis="index").format(formats, na_rep="").format_index(_words, axis=1)
    if bar in rows and len(rows):
        table = table.bar(subset=[bar], color=CELL_BAR_COLOUR, vmin=0, width=75, height=70)
    page = table.set_table_styles(styles).to_html(table_uuid=re.sub(r"\W+", "-", "-".join(rows)))
    return f'<div class="wide">{page}</div>' if len(rows.columns) > WIDE_COLUMNS else page


def _words(column: str) -> str:
    return html.escape(column.replace("_", " "))
