"""Counts of successful transactions -> a line chart that follows the stream. Source: 3.3."""

import threading
from bisect import bisect_right
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib.dates as dates
from matplotlib import rcParams
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fraudstream.settings import MELBOURNE

LINE_COLOUR, QUIET_COLOUR = "#1f5a96", "#5f6b76"
MARGIN, LEAST_MARGIN_S = 0.02, 1.0
PNG_DPI = 150
# redrawn once a second, an hour of it is 3,600 points (benchmarks/chart.py): fixed places instead of a layout engine,
# dots only while they can be told apart, and the line rasterized in pieces, without what moves it by half a pixel
MARGINS = {"left": 0.08, "right": 0.96, "bottom": 0.14, "top": 0.82}
DOTS_UP_TO = 300
PIECE, UNSEEN_PIXELS = 200, 0.5
# not quite opaque: of such a figure matplotlib sends whole pictures to the page, not what has changed since the one
# before. The page drops a picture when the next comes too soon, and would miss its changes
PAPER = (1, 1, 1, 0.99)


class SuccessChart:
    """Keeps a line up to date: one point a batch, in the order of ts, over Melbourne time.

    Batches of several partitions may arrive out of turn. Two with the same ts stay two points. Redrawing moves the
    line's data and nothing else, and the view stays where the user has zoomed or panned to until the toolbar's home
    button is pressed.
    """

    def __init__(self, line: Line2D) -> None:
        self.line, self.axes, self.figure = line, line.axes, line.axes.figure
        self._caption = self.axes.text(0, 1.03, "", transform=self.axes.transAxes)
        self._turn = threading.RLock()
        self._answer_in_turn()
        self._dress()
        self._keep_picture(False)
        self.clear()

    @property
    def successes(self) -> int:
        """Successful transactions of all batches."""
        return self._successes

    def clear(self) -> None:
        """Begin again without points."""
        with self._turn:
            self._clear()

    def _clear(self) -> None:
        self.ts: list[int] = []
        self.counts: list[int] = []
        self.transactions = self._successes = 0
        self._x: list[float] = []
        self._caption.set_text("waiting for the first batch")
        self.line.set_data([], [])
        now = dates.date2num(datetime.now(MELBOURNE))
        self.axes.set_xlim(now, now + 60 / dates.SEC_PER_DAY, auto=True)
        self.axes.set_ylim(0, 10, auto=True)

    def add(self, ts: int, successes: int, transactions: int) -> None:
        """A batch sent at ``ts`` (Unix seconds) with so many successful transactions among all of its own."""
        moment = datetime.fromtimestamp(ts, MELBOURNE)
        place = bisect_right(self.ts, ts)
        self.ts.insert(place, ts)
        self._x.insert(place, float(dates.date2num(moment)))
        self.counts.insert(place, successes)
        self.transactions += transactions
        self._successes += successes
        rate = f"{self.successes / self.transactions:.0%}" if self.transactions else "none yet"
        with self._turn:
            self._caption.set_text(
                f"last batch at {moment:%H:%M:%S}: {successes} of {transactions} transactions successful   |   "
                f"all {len(self.counts):,} batches: {self.successes:,} of {self.transactions:,} ({rate})"
            )

    def draw(self) -> None:
        """Show the points added since the last call. Called from a running cell, so it draws at once, not when idle."""
        if self.counts:
            with self._turn:
                self._draw()

    def _draw(self) -> None:
        self.line.set_data(self._x, self.counts)
        self.line.set_marker("o" if len(self.counts) <= DOTS_UP_TO else "")
        if self.axes.get_autoscalex_on():
            first, last = min(self._x), max(self._x)
            margin = max(MARGIN * (last - first), LEAST_MARGIN_S / dates.SEC_PER_DAY)
            self.axes.set_xlim(first - margin, last + margin, auto=True)
        if self.axes.get_autoscaley_on():
            self.axes.set_ylim(0, max(self.counts) * 1.15 + 1, auto=True)
        self.axes.set_xlabel(f"ts: when the batch was sent, Melbourne time, {self._day()}")
        self.figure.canvas.draw()

    def save(self, path: Path) -> Path:
        """Write the chart as PNG, all points in view; the path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._turn:
            self.axes.autoscale(True)
            self._keep_picture(True)
            self.draw()
            self._keep_picture(False)
            self.figure.savefig(path, dpi=PNG_DPI, bbox_inches="tight", pad_inches=0.2, facecolor="white")
        return path

    def _answer_in_turn(self) -> None:
        """Let what the page asks for (zoom, pan, a new drawing) wait while a drawing is being made, and the other way.

        JupyterLab asks it of a second thread of a busy kernel, and matplotlib knows nothing of threads: drawing both at
        once, they send pictures with half of the line, or none.
        """
        manager = self.figure.canvas.manager
        if not hasattr(manager, "handle_json"):
            return
        answer = manager.handle_json

        def answer_in_turn(question: dict[str, Any]) -> None:
            with self._turn:
                answer(question)

        manager.handle_json = answer_in_turn

    def _keep_picture(self, kept: bool) -> None:
        """Whether ipympl keeps each drawing for the saved notebook, too: half of its work, of use at the end only."""
        self.figure.canvas.syncing_data_url = kept

    def _day(self) -> str:
        return f"{datetime.fromtimestamp(self.ts[-1], MELBOURNE):%d %B %Y}"

    def _dress(self) -> None:
        axes = self.axes
        rcParams["agg.path.chunksize"] = PIECE
        rcParams["path.simplify_threshold"] = UNSEEN_PIXELS
        self.figure.canvas.header_visible = False  # ipympl's "Figure 1"
        self.figure.set_facecolor(PAPER)
        self.figure.set_layout_engine("none")
        self.figure.subplots_adjust(**MARGINS)
        self.line.set(color=LINE_COLOUR, linewidth=1.6, solid_joinstyle="bevel", markersize=3.5)
        self._caption.set(color=QUIET_COLOUR, fontsize=9.5)
        axes.set_title("Successful transactions in each batch", loc="left", fontsize=15, fontweight="bold", y=1.1)
        axes.set_xlabel("ts: when the batch was sent, Melbourne time", color=QUIET_COLOUR)
        axes.set_ylabel("successful transactions", color=QUIET_COLOUR)
        axes.xaxis.set_label_coords(0.5, -0.11)
        axes.yaxis.set_label_coords(-0.055, 0.5)
        axes.xaxis.set_major_locator(dates.AutoDateLocator(tz=MELBOURNE, minticks=4, maxticks=9))
        axes.xaxis.set_major_formatter(_whole_seconds)
        axes.fmt_xdata = dates.DateFormatter("%H:%M:%S", tz=MELBOURNE)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.tick_params(colors=QUIET_COLOUR, length=0, pad=7)
        axes.grid(color="#e3e7ea", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color("#b8c0c7")


def _whole_seconds(x: float, place: int | None = None) -> str:
    """A tick's time of day; nothing between two seconds, where a view that was zoomed to may have ticks, too."""
    moment = dates.num2date(x, tz=MELBOURNE)
    return "" if moment.microsecond else f"{moment:%H:%M:%S}"
