"""Outputs that are updated in place in a notebook: a status line, tables, lines of text.

Each is one widget, whose state is in the kernel: after a reload of the page, or in a second tab, it shows the current
state. The output also contains the same as HTML and text, for the saved notebook.
"""

import html
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime

import pandas as pd
from IPython.display import display
from ipywidgets import HTML, VBox

from fraudstream.notebook.render import STYLE, bars_over_time, facts_line, melbourne_windows, styled_table
from fraudstream.settings import MELBOURNE

# the saved form follows the widget at this distance: each update of it makes the page draw the output anew
STATIC_EVERY_S = 30
WIDGET = "application/vnd.jupyter.widget-view+json"


class LiveOutput:
    """One output of the cell that makes it. ``show`` may be called from any thread."""

    def __init__(self, page: str, text: str) -> None:
        self._widget = HTML(page)
        self._bundle, self._stale = self._as_bundle(page, text), False
        self._next_static = 0.0
        self._handle = display(self._bundle, raw=True, display_id=True)

    def show_page(self, page: str, text: str) -> None:
        """Replaces what is shown; the saved form follows every 30 seconds, and with ``freeze``."""
        self._widget.value = page
        self._bundle, self._stale = self._as_bundle(page, text), True
        if time.monotonic() >= self._next_static:
            self.freeze()

    def freeze(self) -> None:
        """Brings the form that a saved notebook shows up to date."""
        if self._stale and self._handle is not None:  # None outside a notebook
            self._stale, self._next_static = False, time.monotonic() + STATIC_EVERY_S
            self._handle.update(self._bundle, raw=True)

    def _as_bundle(self, page: str, text: str) -> dict:
        view = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
        return {WIDGET: view, "text/html": page, "text/plain": text}


def dashboard(*outputs: LiveOutput) -> None:
    """Shows the same outputs once more, one below the other: they change here, too."""
    view = VBox([output._widget for output in outputs])
    view_form = {"version_major": 2, "version_minor": 0, "model_id": view.model_id}
    display({WIDGET: view_form, "text/plain": "Dashboard"}, raw=True)


class LiveStatus(LiveOutput):
    """A status line: the state as a coloured word, what it means, and figures."""

    def __init__(self, state: str = "starting", detail: str = "", figures: str = "") -> None:
        super().__init__(*self._forms(state, detail, figures))

    def show(self, state: str, detail: str, figures: str = "", *, bad: bool = False) -> None:
        """Replaces the line; the state is red if ``bad``."""
        self.show_page(*self._forms(state, detail, figures, bad))

    def _forms(self, state: str, detail: str, figures: str, bad: bool = False) -> tuple[str, str]:
        kind = "bad" if bad else state if state == "running" else ""
        rest = " \u00b7 ".join(filter(None, (detail, figures)))
        page = f'{STYLE}<div class="fraudstream"><span class="state {kind}">{html.escape(state)}</span>'
        return f"{page}{html.escape(rest)}</div>", f"[{state}] {rest}"


class LiveTable(LiveOutput):
    """A titled table; ``show`` replaces its rows.

    With ``chart``, a column of numbers, the rows' windows are also drawn as bars over time, and ``shown`` of them are
    in the table. With ``bar``, a column of numbers, each cell of it has a bar in proportion. The times of the latest
    ``times`` updates are shown.
    """

    def __init__(self, title: str, *, chart: str = "", bar: str = "", shown: int = 20, times: int = 1) -> None:
        self.title, self.chart, self.bar, self.shown = title, chart, bar, shown
        self._times: deque[str] = deque(maxlen=times)
        super().__init__(self._page("waiting for the first rows"), f"{title}: waiting for the first rows")

    def show(self, rows: pd.DataFrame, *, headline: str = "", facts: Mapping[str, str] | None = None) -> None:
        """Shows ``rows`` (newest first) in place of the ones before, with the time of this update.

        window_start and window_end (UTC, ISO 8601) become one column in Melbourne time, or are beside the title where
        all rows are of one window. ``headline`` is a sentence above the table; ``facts``, name -> value, are in large
        letters.
        """
        now = datetime.now(MELBOURNE)
        chart = bars_over_time(rows, self.chart) if self.chart and len(rows) else ""
        rows, window = melbourne_windows(rows.head(self.shown), now)
        above = f'<div class="headline">{html.escape(headline)}</div>' if headline else ""
        note = f"{window} \u00b7 " if window else ""
        self._times.append(f"{now:%H:%M:%S}")
        note += f"updated {', '.join(self._times)} Melbourne time"
        text = "\n".join(
            filter(None, (f"{self.title} ({note})", headline, ", ".join(f"{k}: {v}" for k, v in (facts or {}).items())))
        )
        self.show_page(
            self._page(
                note, above + facts_line(facts or {}) + chart + (styled_table(rows, self.bar) if len(rows) else "")
            ),
            f"{text}\n{rows.to_string(index=False, max_colwidth=40) if len(rows) else ''}",
        )

    def _page(self, note: str, body: str = "") -> str:
        title, note = html.escape(self.title), html.escape(note)
        head = f'<div class="head"><span class="title">{title}</span><span class="note">{note}</span></div>'
        return f'{STYLE}<div class="fraudstream">{head}{body}</div>'


class LiveLines(LiveOutput):
    """The first and the newest of many lines of text. Called like print.

    ``note`` shows one more line below them that replaces itself: a wait is one line that changes.
    """

    def __init__(self, first: int = 3, newest: int = 12) -> None:
        self._first, self._newest, self._left_out = first, newest, 0
        self._lines: list[str] = []
        self._note = ""
        super().__init__("", "")

    def __call__(self, line: object) -> None:
        """Shows one more line, and leaves the oldest out that are not among the first."""
        self._lines.append(str(line))
        if len(self._lines) > self._first + self._newest:
            del self._lines[self._first]
            self._left_out += 1
        self._note = ""
        self._refresh()

    def note(self, line: object) -> None:
        """Shows ``line`` at the end, in place of the note before; the next line removes it."""
        self._note = str(line)
        self._refresh()

    def _refresh(self) -> None:
        gap = [f"... {self._left_out:,} more ..."] if self._left_out else []
        lines = [*self._lines[: self._first], *gap, *self._lines[self._first :], *filter(None, [self._note])]
        text = "\n".join(lines)
        self.show_page(f'{STYLE}<div class="fraudstream lines"><pre>{html.escape(text)}</pre></div>', text)
