"""Counts of successful transactions -> a line chart that follows the stream. Source: 3.3."""

import threading
from bisect import bisect_right
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib.dates as dates
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fraudstream.settings import MELBOURNE

# readable on light and dark pages, whose background shows through
LINE_COLOUR, MEAN_COLOUR, QUIET_COLOUR = "#2f7bc4", "#d9822b", "#808890"
MARGIN, LEAST_MARGIN_S = 0.02, 1.0
PNG_DPI = 150
# redrawn every second with up to 3,600 points per hour: fixed positions instead of a layout engine
MARGINS = {"left": 0.08, "right": 0.96, "bottom": 0.14, "top": 0.80}
DOTS_UP_TO, DENSE_FROM = 120, 300
MEAN_OF = 10


class SuccessChart:
    """Keeps the line chart of ``line`` up to date: one point per batch, in the order of ts, over Melbourne time.

    Batches of several partitions may arrive out of order. Two with the same ts stay two points. A pale line shows all
    transactions, another the mean of the last ten batches. The view stays where the user has zoomed or panned to until
    the toolbar's home button is pressed.
    """

    def __init__(self, line: Line2D) -> None:
        self.line, self.axes, self.figure = line, line.axes, line.axes.figure
        self.turn = threading.RLock()
        self._all = self.axes.plot([], [], label="all transactions")[0]
        self._mean = self.axes.plot([], [], label=f"mean of {MEAN_OF} batches")[0]
        self._caption = self.axes.text(0, 1.03, "", transform=self.axes.transAxes)
        self._answer_in_turn()
        self._dress()
        self._keep_picture(False)
        self.clear()

    @property
    def successes(self) -> int:
        """Successful transactions of all batches."""
        return sum(self.counts)

    @property
    def transactions(self) -> int:
        """Transactions of all batches."""
        return sum(self.all_counts)

    def clear(self) -> None:
        """Removes all points."""
        with self.turn:
            self.ts: list[int] = []
            self.times: list[float] = []
            self.counts: list[int] = []
            self.all_counts: list[int] = []
            self._successes = self._transactions = 0
            self._caption.set_text("waiting for the first batch")
            for each in (self.line, self._all, self._mean):
                each.set_data([], [])
            now = dates.date2num(datetime.now(MELBOURNE))
            self.axes.set_xlim(now, now + 60 / dates.SEC_PER_DAY, auto=True)
            self.axes.set_ylim(0, 10, auto=True)

    def add(self, ts: int, successes: int, transactions: int) -> None:
        """Adds the batch sent at ``ts`` (Unix seconds), with its number of successful and of all transactions."""
        moment = datetime.fromtimestamp(ts, MELBOURNE)
        place = bisect_right(self.ts, ts)
        self.ts.insert(place, ts)
        self.times.insert(place, float(dates.date2num(moment)))
        self.counts.insert(place, successes)
        self.all_counts.insert(place, transactions)
        self._successes += successes
        self._transactions += transactions
        share = f"{self._successes / self._transactions:.0%}" if self._transactions else "none yet"
        with self.turn:
            self._caption.set_text(
                f"last batch at {moment:%H:%M:%S}: {successes} of {transactions} transactions successful   |   "
                f"all {len(self.counts):,} batches: {self._successes:,} of {self._transactions:,} ({share})"
            )

    def draw(self) -> None:
        """Shows the points added since the last call; draws immediately, because it is called from a running cell."""
        if self.counts:
            with self.turn:
                self.line.set_data(self.times, self.counts)
                self.follow()
                self.figure.canvas.draw()

    def follow(self) -> None:
        """Updates the other lines and, unless the user has zoomed, the view."""
        if not self.counts:
            return
        dense = len(self.counts) > DENSE_FROM
        self.line.set_marker("o" if len(self.counts) <= DOTS_UP_TO else "")
        self.line.set(alpha=0.35 if dense else 1, linewidth=0.8 if dense else 1.6)
        self._all.set_data(self.times, self.all_counts)
        self._mean.set_data(self.times, _running_mean(self.counts))
        if self.axes.get_autoscalex_on():
            first, last = min(self.times), max(self.times)
            margin = max(MARGIN * (last - first), LEAST_MARGIN_S / dates.SEC_PER_DAY)
            self.axes.set_xlim(first - margin, last + margin, auto=True)
        if self.axes.get_autoscaley_on():
            top = max(self.all_counts) * 1.15 + 1
            self.axes.set_ylim(-0.03 * top, top, auto=True)  # so that a dot at zero is not clipped
        self.axes.set_xlabel(f"ts: when the batch was sent, Melbourne time, {self._day()}")

    def save(self, path: Path) -> Path:
        """Saves the chart as PNG with all points in view; returns the path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.turn:
            self.axes.autoscale(True)
            self._keep_picture(True)
            self.draw()
            self._keep_picture(False)
            self.figure.savefig(path, dpi=PNG_DPI, bbox_inches="tight", pad_inches=0.2, facecolor="white")
        return path

    def _answer_in_turn(self) -> None:
        """Serialises drawing and requests from the page (zoom, pan, redraw).

        JupyterLab sends such requests to a second thread of a busy kernel, and matplotlib is not thread-safe: drawing
        concurrently, they send pictures with half of the line, or none.
        """
        manager = self.figure.canvas.manager
        if not hasattr(manager, "handle_json"):
            return
        answer = manager.handle_json

        def answer_in_turn(question: dict[str, Any]) -> None:
            with self.turn:
                answer(question)

        manager.handle_json = answer_in_turn

    def _keep_picture(self, kept: bool) -> None:
        """Whether ipympl also stores each drawing for the saved notebook: half of its work, needed only at the end."""
        self.figure.canvas.syncing_data_url = kept

    def _day(self) -> str:
        return f"{datetime.fromtimestamp(self.ts[-1], MELBOURNE):%d %B %Y}"

    def _dress(self) -> None:
        axes = self.axes
        self.figure.canvas.header_visible = False  # ipympl's "Figure 1"
        self.figure.set_facecolor("none")
        axes.set_facecolor("none")
        self.figure.set_layout_engine("none")
        self.figure.subplots_adjust(**MARGINS)
        self.line.set(color=LINE_COLOUR, linewidth=1.6, markersize=3.5, zorder=3)
        self._all.set(color=QUIET_COLOUR, linewidth=0.9, alpha=0.45, zorder=2)
        self._mean.set(color=MEAN_COLOUR, linewidth=1.8, zorder=4)
        self._caption.set(color=QUIET_COLOUR, fontsize=9.5)
        title = axes.get_title()
        axes.set_title("")
        axes.set_title(title, loc="left", fontsize=14, fontweight="bold", y=1.1, color=QUIET_COLOUR)
        axes.xaxis.label.set_color(QUIET_COLOUR)
        axes.yaxis.label.set_color(QUIET_COLOUR)
        axes.xaxis.set_label_coords(0.5, -0.11)
        axes.yaxis.set_label_coords(-0.055, 0.5)
        axes.xaxis.set_major_locator(dates.AutoDateLocator(tz=MELBOURNE, minticks=4, maxticks=9))
        axes.xaxis.set_major_formatter(_whole_seconds)
        axes.fmt_xdata = dates.DateFormatter("%H:%M:%S", tz=MELBOURNE)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.tick_params(colors=QUIET_COLOUR, length=0, pad=7)
        axes.grid(color=QUIET_COLOUR, alpha=0.22, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set(color=QUIET_COLOUR, alpha=0.6)
        place = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.09), "ncols": 3, "borderaxespad": 0}
        look = {"frameon": False, "fontsize": 8.5, "handlelength": 1.4, "columnspacing": 1.2}
        axes.legend(**place, **look, labelcolor=QUIET_COLOUR)


def _running_mean(counts: list[int]) -> np.ndarray:
    """Trailing mean over ten batches; over fewer at the beginning."""
    sums = np.concatenate(([0.0], np.cumsum(counts)))
    ends = np.arange(1, len(counts) + 1)
    begins = np.maximum(0, ends - MEAN_OF)
    return (sums[ends] - sums[begins]) / (ends - begins)


def _whole_seconds(x: float, place: int | None = None) -> str:
    """A tick's time of day; empty between two seconds, where a zoomed view may have ticks."""
    moment = dates.num2date(x, tz=MELBOURNE)
    return "" if moment.microsecond else f"{moment:%H:%M:%S}"
