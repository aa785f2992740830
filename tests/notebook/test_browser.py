"""The notebooks in a real JupyterLab in a real Chromium: run, watched, interrupted, restarted, ended.

One session: each test continues from the one before, and none runs after a failure. Screenshots are saved in
output/screenshots.
"""

import re

import psutil
import pytest
from playwright.sync_api import sync_playwright
from ports import HERE, listening

from fraudstream.data.generate import generate
from fraudstream.kafka import broker
from fraudstream.kafka.broker import process
from fraudstream.settings import PROJECT, load_settings
from tools.browser import BROWSERS, TASK_1, TASK_2, TASK_3, TASKS, Person, Server, find_browser, until

SENDING, SENT = "sender.confirm(", "sender.close()"
STATUS, FIRST_ROWS, PREDICTING = "status = LiveStatus(", "first_transactions = ", "sink = PredictionSink("
FRAUDS, ALERTS, HEALTH = "frauds_table = ", "panel.show_alerts()", "panel.show_health()"
ACCOUNT, EQUAL = "reconcile(settings", "batch_features("
FIGURE, LOOP, COUNTED = "plt.subplots(", "arrivals(consumer", "chart.save("
CAPTION = 0.2  # the share of the chart's height that holds its title and caption
SCREENSHOTS = PROJECT / "output" / "screenshots"

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not find_browser(), reason=f"no {', '.join(BROWSERS)} here: install Debian's chromium"),
]


@pytest.fixture(scope="module")
def own(tmp_path_factory, model_dir):
    """The settings of this session: a small shop, its own output folder and its own broker."""
    folder = tmp_path_factory.mktemp("lab")
    generate(folder / "data", scale=0.8, progress=False)  # 400 batches: more than are sent within all limits
    names = {"data_dir": folder / "data", "output_dir": folder / "output", "model": model_dir / "my_ML_model.zip"}
    return load_settings(**names, spark_master="local[2]", bootstrap_servers="", batches=None, idle_s=None)


@pytest.fixture(scope="module")
def server(own):
    server = Server(own.data_dir.parent, own)
    yield server
    server.close()


@pytest.fixture(scope="module")
def person(server):
    with sync_playwright() as playwright:
        person = Person(playwright, find_browser(), server)
        yield person
        person.close()


@pytest.fixture(autouse=True)
def step(request, person):
    """One step of the session: after a failure, later steps are skipped and a screenshot is saved."""
    failed_before = request.session.testsfailed
    if failed := getattr(person, "failed_at", None):
        pytest.fail(f"{failed} failed: the session ended there")
    yield
    if request.session.testsfailed > failed_before:
        person.failed_at = request.node.name
        photograph(person, "failed")


def photograph(person, name):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    person.page.screenshot(path=SCREENSHOTS / f"{name}.png")


def number(text, pattern):
    """The number in ``text`` that the group of ``pattern`` matches."""
    found = re.search(pattern, text)
    return int(found[1].replace(",", "")) if found else -1


def test_lab_opens_with_the_three_notebooks(person):
    assert person.tabs() == [*TASKS]


def test_the_chart_moves_while_its_loop_runs(person):
    for notebook in (TASK_3, TASK_1):
        person.do(notebook, "notebook:run-all-cells")
    until(lambda: "batch    4 " in person.seen(TASK_1, SENDING), 120, "the fourth batch")
    person.show(TASK_3, FIGURE)
    before = person.chart()
    until(lambda: person.chart() != before, 20, "another picture")
    assert person.cell(TASK_3, LOOP)["execution_count"] is None


def test_a_view_that_was_zoomed_to_stays_while_the_chart_grows(person):
    def kept():
        """Whether the next batch changes the caption and nothing else."""
        caption, lines = person.chart(bottom=CAPTION), person.chart(top=CAPTION)
        until(lambda: person.chart(bottom=CAPTION) != caption, 20, "the next batch in the caption")
        return person.chart(top=CAPTION) == lines

    assert not kept()
    person.zoom()
    until(kept, 20, "the line as zoomed to, under a new caption")
    photograph(person, "zoomed")
    person.press("Reset")
    until(lambda: not kept(), 20, "all of the line again, after the home button")


def test_status_reports_alerts_and_health_change_in_place(person):
    photograph(person, "chart")
    person.do(TASK_1, "notebook:interrupt-kernel")  # its batches shall not be at their end when Task 2 is ready
    person.do(TASK_2, "notebook:run-all-cells")
    until(lambda: "updated" in person.seen(TASK_2, FRAUDS), 200, "the first report")
    person.run(TASK_1, SENDING)
    until(lambda: person.seen(TASK_2, STATUS).startswith("running"), 60, "running in the status line")
    for name, code in [("frauds", FRAUDS), ("alerts", ALERTS), ("health", HEALTH), ("status", STATUS)]:
        before = person.seen(TASK_2, code)
        until(lambda code=code, before=before: person.seen(TASK_2, code) != before, 60, f"another {name}")
        photograph(person, name)
    assert "ts" in person.seen(TASK_2, FIRST_ROWS)


def test_a_dark_theme_is_followed(person):
    person.theme("JupyterLab Dark")
    person.show(TASK_3, FIGURE)
    photograph(person, "dark-chart")
    person.show(TASK_2, FRAUDS)
    photograph(person, "dark-frauds")
    background = "getComputedStyle(document.querySelector('.jupyter-matplotlib')).backgroundColor"
    assert person.page.evaluate(background) not in ("rgb(255, 255, 255)",)
    person.theme("JupyterLab Light")


def test_without_messages_the_status_line_is_idle(person):
    person.do(TASK_1, "notebook:interrupt-kernel")
    until(lambda: person.seen(TASK_2, STATUS).startswith("idle"), 60, "idle")


def test_interrupted_each_notebook_comes_to_its_end_without_an_error(person):
    person.run(TASK_1, SENDING)
    until(lambda: person.seen(TASK_2, STATUS).startswith("running"), 60, "running again")
    person.do(TASK_1, "notebook:interrupt-kernel")
    finished = person.cell(TASK_1, SENT)["execution_count"]
    person.run(TASK_1, SENT)
    until(lambda: person.cell(TASK_1, SENT)["execution_count"] not in (None, finished), 30, "what was sent")
    batches, transactions = (number(person.said(TASK_1, SENT), rf"([\d,]+) {name}") for name in ("bat", "trans"))
    until(lambda: predicted(person) == transactions, 60, f"all {transactions} transactions in the status line")
    person.do(TASK_3, "notebook:interrupt-kernel")
    until(lambda: "successful" in person.said(TASK_3, COUNTED), 30, "the finished chart")
    assert number(person.said(TASK_3, COUNTED), r"([\d,]+) batches") == batches
    assert "image/png" in person.cell(TASK_3, FIGURE)["outputs"][-1]["data"]
    photograph(person, "finished")
    person.do(TASK_2, "notebook:interrupt-kernel")
    until(lambda: "have the same features" in person.said(TASK_2, EQUAL), 120, "the end of Task 2")
    assert "Every transaction is accounted for." in person.said(TASK_2, ACCOUNT)
    assert person.seen(TASK_2, STATUS).startswith("stopped")
    person.show(TASK_2, ACCOUNT)
    photograph(person, "reconciliation")
    assert [person.errors(notebook) for notebook in TASKS] == [[], [], []]


def predicted(person):
    """How many transactions the status line says are predicted."""
    return number(person.seen(TASK_2, STATUS), r"predicted ([\d,]+)")


def first_batch(person):
    """The number of the first batch that Task 1's cell says it has sent."""
    return number(person.seen(TASK_1, SENDING), r"batch +([\d,]+) ")


def test_restarted_each_notebook_goes_on_where_it_was(person, own):
    def micro_batches():
        return len(list(own.predictions.glob("batch_id=*")))

    before = micro_batches()
    for notebook in (TASK_2, TASK_3, TASK_1):
        person.do(notebook, "notebook:restart-run-all")
    until(lambda: micro_batches() > before, 120, "a prediction after the restart")
    assert "Continues after micro-batch" in person.said(TASK_2, PREDICTING)
    assert first_batch(person) > 4
    person.show(TASK_3, FIGURE)
    photograph(person, "restarted")
    assert [person.errors(notebook) for notebook in TASKS] == [[], [], []]


def shows_the_present(person):
    for notebook, code, what in [
        (TASK_1, SENDING, "another batch"),
        (TASK_2, STATUS, "another status"),
        (TASK_2, FRAUDS, "another report"),
        (TASK_2, HEALTH, "another health"),
    ]:
        before = person.seen(notebook, code)
        until(lambda: person.seen(notebook, code) not in ("", before), 60, what)  # noqa: B023
    person.show(TASK_3, FIGURE)
    before = person.chart()
    until(lambda: person.chart() != before, 30, "another picture")


def test_after_a_reload_of_the_page_all_three_show_the_present_and_continue(person):
    person.reload()
    assert "Loading widget" not in person.seen(TASK_1, SENDING)
    shows_the_present(person)
    photograph(person, "reloaded")


def test_a_second_tab_shows_the_present_too(person):
    other = person.second_tab()
    shows_the_present(other)
    other.page.close()


def test_everything_that_lab_has_opened_is_on_this_computer_only(server, own):
    family = [*server.family(), process.find(own.broker_dir)]
    opened = listening(each for each in family if lives(each))
    assert len(opened) > 10  # JupyterLab, three kernels, Spark, Kafka
    assert {ip for ip, _ in opened} <= HERE


def test_ctrl_c_ends_jupyterlab_its_kernels_and_the_broker(server, own):
    family = server.family()
    assert len(family) > 3
    assert server.interrupt() == 0
    assert [each for each in family if lives(each)] == []
    assert not broker.status(own).running


def lives(process):
    """Whether it runs, or sleeps; one that has ended may stay listed until its parent has heard of it."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
