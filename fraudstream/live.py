"""Tables that change in place in a notebook: one output, updated by the query that owns it (2.7)."""

import html
from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd
from IPython.display import HTML, display

MELBOURNE = ZoneInfo("Australia/Melbourne")


class LiveTable:
    """A titled table in the output of the cell that makes it; ``show`` replaces its rows, from any thread."""

    def __init__(self, title: str, waiting: str = "waiting for the first rows") -> None:
        self.title = title
        self._handle = display(HTML(self._page(waiting)), display_id=True)

    def show(self, rows: pd.DataFrame) -> None:
        """Shows ``rows`` in place of the ones before, with the time of this update."""
        table = melbourne_windows(rows).to_html(index=False, border=0, na_rep="", justify="left")
        now = datetime.now(MELBOURNE)
        self._handle.update(HTML(self._page(f"updated {now:%H:%M:%S} Melbourne time", table)))

    def _page(self, note: str, table: str = "") -> str:
        return f"<b>{html.escape(self.title)}</b> &middot; <small>{html.escape(note)}</small>{table}"


def melbourne_windows(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` with window_start and window_end (UTC, ISO 8601) as one column: from and to, in Melbourne time."""
    if "window_start" not in rows:
        return rows
    start, end = (pd.to_datetime(rows[name], utc=True).dt.tz_convert(MELBOURNE) for name in WINDOW)
    window = start.dt.strftime("%H:%M:%S") + " to " + end.dt.strftime("%H:%M:%S")
    return rows.drop(columns=list(WINDOW)).pipe(lambda rest: rest.assign(window=window)[["window", *rest.columns]])


WINDOW = ("window_start", "window_end")
