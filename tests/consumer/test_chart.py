"""Task 3's chart: one point per batch, in order, in Melbourne time; the view stays where the user put it."""

import asyncio
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_webagg_core import FigureCanvasWebAggCore, FigureManagerWebAgg
from matplotlib.figure import Figure
from PIL import Image

from fraudstream.consumer import batches
from fraudstream.consumer.batches import arrivals, parse_message
from fraudstream.consumer.chart import SuccessChart
from fraudstream.errors import DataError

matplotlib.use("Agg")

TS = 1_745_818_000
# matplotlib draws each line as a whole; agg.path.chunksize would leave out segments of long ones
PLAIN = {name: matplotlib.rcParamsDefault[name] for name in ("agg.path.chunksize", "path.simplify")}

Message = namedtuple(
    "Message", "value timestamp topic partition offset", defaults=[1_745_818_012_999, "transactions", 0, 4]
)


@pytest.fixture
def line():
    return Figure().subplots().plot([], [])[0]


@pytest.fixture
def chart(line):
    return SuccessChart(line)


def test_a_batch_has_the_ts_of_its_rows():
    message = Message(b'[{"payment_status": "Success", "ts": 1745818000}]')
    assert parse_message(message) == (1745818000, [{"payment_status": "Success", "ts": 1745818000}])


def test_an_empty_batch_has_the_ts_of_its_record():
    assert parse_message(Message(b"[]")) == (1745818012, [])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"nonsense", "not a JSON list in UTF-8"),
        (b"", "not a JSON list in UTF-8"),
        (None, "not a JSON list in UTF-8"),
        (b"\xff\xfe[", "not a JSON list in UTF-8"),
        (b"[" * 200_000, "not a JSON list in UTF-8"),
        (b'{"ts": 1}', "not a JSON list in UTF-8"),
        (b'[{"ts": 1}, 7]', "not a list of dictionaries"),
        (b'[{"ts": "1"}]', "ts is '1', not a whole number of seconds"),
        (b"[{}]", "ts is None, not a whole number of seconds"),
    ],
)
def test_a_message_that_is_no_batch_is_named(value, reason):
    with pytest.raises(DataError) as caught:
        parse_message(Message(value))
    assert str(caught.value).startswith(f"transactions, partition 0, offset 4: {reason}")


class OnePoll:
    """A consumer that has one answer."""

    def __init__(self, *messages):
        self.answers = [{0: list(messages)}]

    def assignment(self):
        return set()

    def poll(self, timeout_ms):
        return self.answers.pop() if self.answers else {}


@pytest.fixture
def own_cluster(monkeypatch):
    """What has no connection cannot be asked for its cluster."""
    monkeypatch.setattr(batches, "connected_cluster_id", lambda consumer: "ours")


def collected(consumer, idle_s, note):
    async def collect():
        return [messages async for messages in arrivals(consumer, idle_s, note)]

    return asyncio.run(collect())


def test_a_bad_message_is_said_and_the_others_go_on(own_cluster):
    notes = []
    good = Message(b"[]")
    assert collected(OnePoll(good, Message(b"?"), good), 0.01, notes.append) == [[good] * 2]
    assert notes == [
        "transactions, partition 0, offset 4: not a JSON list in UTF-8. Left out of the chart.",
        "No message for 0 s: the chart ends here.",
    ]


def test_the_first_message_is_waited_for_ten_times_as_long_but_not_for_ever(own_cluster):
    notes = []
    assert collected(OnePoll(), 0.1, notes.append) == []
    assert notes == ["No message for 1 s: the chart ends here."]


def test_two_batches_with_the_same_ts_are_two_points(chart):
    for ts, successes in [(1745818000, 3), (1745818000, 5), (1745818001, 0)]:
        chart.add(ts, successes, 6)
    chart.draw()
    assert list(chart.line.get_ydata()) == [3, 5, 0]
    assert [round(x * 86400) for x in chart.line.get_xdata()] == [1745818000, 1745818000, 1745818001]


def test_axis_is_in_melbourne_time(chart):
    chart.add(1745818012, 1, 1)
    chart.draw()
    assert chart.axes.xaxis.get_major_formatter()(chart.line.get_xdata()[0]) == "15:26:52"
    assert chart.axes.get_xlabel().endswith("Melbourne time, 28 April 2025")


def test_view_follows_the_line(chart):
    for ts in (1745818000, 1745818100):
        chart.add(ts, 7, 9)
        chart.draw()
    left, right = (edge * 86400 for edge in chart.axes.get_xlim())
    assert left < 1745818000 < 1745818100 < right
    assert -1 < chart.axes.get_ylim()[0] < 0, "a dot at zero is seen whole"


def test_view_stays_where_the_user_zoomed_to(chart):
    chart.add(1745818000, 7, 9)
    chart.draw()
    chart.axes.set_xlim(10, 11)
    chart.axes.set_ylim(2, 3)
    chart.add(1745818100, 30, 40)
    chart.draw()
    assert (chart.axes.get_xlim(), chart.axes.get_ylim()) == ((10, 11), (2, 3))


def test_ticks_between_two_seconds_have_no_label(chart):
    chart.add(TS, 7, 9)
    chart.axes.set_xlim(TS / 86400, (TS + 1) / 86400)
    chart.draw()
    labels = [label.get_text() for label in chart.axes.get_xticklabels()]
    assert sorted(filter(None, labels)) == ["15:26:40", "15:26:41"]


class Page:
    """The browser's side of the chart: collects what is sent to it."""

    def __init__(self):
        self.pictures = []

    @property
    def newest(self):
        return self.pictures[-1]

    def send_json(self, event):
        pass

    def send_binary(self, picture):
        self.pictures.append(Image.open(BytesIO(picture)))


def test_a_picture_that_is_sent_to_the_page_needs_none_before_it(chart):
    canvas, page = FigureCanvasWebAggCore(chart.figure), Page()
    FigureManagerWebAgg(canvas, 1).add_web_socket(page)
    for ts in (TS, TS + 1, TS + 2):
        chart.add(ts, 3, 4)
        chart.draw()
    assert page.newest.tobytes() == bytes(canvas.buffer_rgba())


def test_two_threads_that_draw_send_whole_pictures(line):
    canvas, page = FigureCanvasWebAggCore(line.axes.figure), Page()
    manager = FigureManagerWebAgg(canvas, 1)
    manager.add_web_socket(page)
    chart = SuccessChart(line)
    for second in range(20):
        chart.add(TS + second, second % 7, 8)
    chart.draw()
    whole = page.newest.tobytes()
    with ThreadPoolExecutor(2) as threads:
        drawn = [threads.submit(draw) for draw in [chart.draw, lambda: manager.handle_json({"type": "draw"})] * 20]
    assert [each.result() for each in drawn] == [None] * 40
    assert {picture.tobytes() for picture in page.pictures} == {whole}


def pixels(chart):
    canvas = FigureCanvasAgg(chart.figure)
    canvas.draw()
    return bytes(canvas.buffer_rgba())


def test_every_redraw_is_pixel_by_pixel_a_plain_drawing_of_all_points(line):
    chart = SuccessChart(line)
    plain = SuccessChart(Figure().subplots().plot([], [])[0])
    for second in range(700):
        chart.add(TS + second, second * 7 % 11, 11)
        if second % 100 == 99 or 200 <= second < 210:
            chart.draw()
            with matplotlib.rc_context(PLAIN):
                for each, drawn in zip(plain.axes.lines, chart.axes.lines, strict=True):
                    each.update_from(drawn)
                    each.set_data(*drawn.get_data())
                plain.axes.set(xlim=chart.axes.get_xlim(), ylim=chart.axes.get_ylim())
                plain.axes.set_xlabel(chart.axes.get_xlabel())
                plain.axes.texts[0].set_text(chart.axes.texts[0].get_text())
                expected = pixels(plain)
            assert pixels(chart) == expected, f"{second + 1} points"


def test_begin_again(chart):
    chart.add(1745818000, 7, 9)
    chart.clear()
    chart.add(1745818001, 1, 2)
    assert (chart.ts, chart.counts, chart.successes, chart.transactions) == ([1745818001], [1], 1, 2)


def test_saved_picture_shows_the_line(chart, tmp_path):
    for second in range(30):
        chart.add(1745818000 + second, second % 7, 8)
    picture = Image.open(chart.save(tmp_path / "new" / "chart.png")).convert("RGB")
    colours = {colour: count for count, colour in picture.getcolors(maxcolors=1 << 20)}
    assert colours[(0x2F, 0x7B, 0xC4)] > 1000
