"""Drives JupyterLab like a person: the project's `lab` in its own process, shown in the system's Chromium."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, Playwright

from fraudstream.run.headless import NOTEBOOKS
from fraudstream.settings import PROJECT, Settings

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# works as root in a container, and sends nothing to the network
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
TASKS = TASK_1, TASK_2, TASK_3 = tuple(path.name for path in NOTEBOOKS.values())
START = """
import sys
from pathlib import Path
from fraudstream.run.lab import lab
from fraudstream.settings import load_settings
lab(load_settings(), sys.argv[2:], Path(sys.argv[1]))
"""
# the answer to JupyterLab's first question to a new user: no news from the network
ANSWERED = "lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
START_S, END_S = 120, 60
# as slow as a hand. JupyterLab has a second channel to a busy kernel: of two simultaneous requests, the later may win
HAND_MS = 400
NOTEBOOK_WIDGETS = "Array.from(window.jupyterapp.shell.widgets('main')).filter(w => w.context)"
FIND = f"{NOTEBOOK_WIDGETS}.find(w => w.context.path === name)"
CHART = ".jupyter-matplotlib-canvas-container"
# a kernel that is busy with a cell when the page is loaded again answers nothing but its widgets
BUSY_MS = 4000
# a notebook is loaded, and its kernel started, when its tab is first seen
OPEN = f"""async name => {{
    const widget = {FIND};
    window.jupyterapp.shell.activateById(widget.id);
    await Promise.all([widget.context.ready, widget.sessionContext.ready, widget.revealed]);
    const answer = widget.sessionContext.session.kernel.info;
    await Promise.race([answer, new Promise(done => setTimeout(done, {BUSY_MS}))]);
}}"""
# cells above get their real height only when they have been in view
SHOW = f"""async ([name, place]) => {{
    const notebook = {FIND}.content;
    for (let before = NaN, top = null; top !== before; ) {{
        before = top;
        await notebook.scrollToItem(place, 'start');
        notebook.widgets[place].node.scrollIntoView({{block: 'start'}});
        await new Promise(done => setTimeout(done, 200));
        top = notebook.widgets[place].node.getBoundingClientRect().top;
    }}
}}"""
SEEN = f"([name, place]) => {FIND}.content.widgets[place].outputArea.node.innerText"
SELECT = f"([name, place]) => {{{FIND}.content.activeCellIndex = place}}"
PICTURE = """([chart, top, bottom]) => {
    const [from, part] = [document.querySelector(`${chart} canvas`), document.createElement('canvas')];
    [part.width, part.height] = [from.width, Math.round((bottom - top) * from.height)];
    part.getContext('2d').drawImage(from, 0, -Math.round(top * from.height));
    return part.toDataURL();
}"""


def find_browser() -> str | None:
    """The system's Chromium."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def until(true: Callable[[], object], limit_s: float, what: str) -> None:
    """Waits until ``true()`` is true; fails after ``limit_s`` seconds and names ``what`` it waited for."""
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, f"waited {limit_s:g} s for: {what}"
        time.sleep(0.2)


class Server:
    """`lab` on copies of the notebooks in ``folder``, so that the project's own stay untouched."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Starts it without waiting. Its kernels take their settings from the environment."""
        self.token, self.port, self.log = secrets.token_hex(16), _free_port(), folder / "lab.log"
        for path in NOTEBOOKS.values():
            (folder / path.name).write_bytes(path.read_bytes())
        config = folder / "jupyter"
        (config / ANSWERED).parent.mkdir(parents=True)
        (config / ANSWERED).write_text('{"fetchNews": "false", "checkForUpdates": false}')
        options = [f"--ServerApp.port={self.port}", f"--IdentityProvider.token={self.token}"]
        command = [sys.executable, "-c", START, str(folder), "--no-browser", "--expose-app-in-browser", *options]
        own = {"PYTHONPATH": str(PROJECT), "JUPYTER_CONFIG_DIR": str(config)}
        with self.log.open("w") as log:
            environment = {**os.environ, **settings.as_environment(), **own}
            self._process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)

    def wait(self) -> None:
        """Returns when JupyterLab answers."""
        until(lambda: "is running at" in self.log.read_text() or self._process.poll() is not None, START_S, "its start")
        assert self._process.poll() is None, self.log.read_text()

    def family(self) -> list[psutil.Process]:
        """All its descendant processes: JupyterLab, kernels, Spark."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def interrupt(self) -> int:
        """Sends Ctrl-C; returns the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(END_S)

    def close(self) -> None:
        """Ends it, unless it has ended."""
        if self._process.poll() is None:
            self.interrupt()


class Person:
    """Runs, interrupts and restarts notebooks with JupyterLab's own commands, and reads what they show."""

    def __init__(self, playwright: Playwright, browser: str, server: Server) -> None:
        self._chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        self._context = self._chromium.new_context(viewport={"width": 1400, "height": 1000})
        self.page: Page = self._context.new_page()
        server.wait()
        lab = f"http://127.0.0.1:{server.port}/lab/workspaces"
        self._second = f"{lab}/second?clone=fraudstream&token={server.token}"
        self.page.goto(f"{lab}/fraudstream?token={server.token}")
        self._wait_until_open()

    def _wait_until_open(self) -> None:
        opened = f"window.jupyterapp && {NOTEBOOK_WIDGETS}.length === {len(NOTEBOOKS)}"
        self.page.wait_for_function(opened, timeout=1000 * START_S)

    def close(self) -> None:
        self._chromium.close()

    def tabs(self) -> list[str]:
        return self.page.evaluate(f"{NOTEBOOK_WIDGETS}.map(w => w.context.path)")

    def open(self, notebook: str) -> None:
        """Brings the notebook's tab to the front; returns when its kernel is ready."""
        self.page.evaluate(OPEN, notebook)

    def do(self, notebook: str, command: str) -> None:
        """Executes one of JupyterLab's commands with this notebook in front."""
        self.open(notebook)
        self.page.evaluate("command => {window.jupyterapp.commands.execute(command)}", command)
        if "restart" in command:
            self.page.locator(".jp-Dialog .jp-mod-accept").click()

    def run(self, notebook: str, code: str) -> None:
        """Runs only the code cell that holds ``code``."""
        self.open(notebook)
        self.page.evaluate(SELECT, [notebook, self._place(notebook, code)])
        self.do(notebook, "notebook:run-cell")

    def cells(self, notebook: str) -> list[dict[str, Any]]:
        """The cells of the notebook as they would be saved now."""
        return self.page.evaluate(f"name => {FIND}.context.model.toJSON().cells", notebook)

    def cell(self, notebook: str, code: str) -> dict[str, Any]:
        """The code cell that holds ``code``."""
        return self.cells(notebook)[self._place(notebook, code)]

    def said(self, notebook: str, code: str) -> str:
        """All text and HTML in the outputs of the code cell that holds ``code``."""
        each = [output.get("data", {}) | output for output in self.cell(notebook, code)["outputs"]]
        return "\n".join(_text(one.get("text/html") or one.get("text/plain") or one.get("text") or "") for one in each)

    def seen(self, notebook: str, code: str) -> str:
        """What the page shows now below the code cell that holds ``code``, widgets included, after scrolling there."""
        self.show(notebook, code)
        return self.page.evaluate(SEEN, [notebook, self._place(notebook, code)])

    def reload(self) -> None:
        """Saves all and loads the page again; returns when the notebooks are open."""
        self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save-all')")
        self.page.wait_for_timeout(2000)
        self.page.reload()
        self._wait_until_open()

    def second_tab(self) -> "Person":
        """Another tab of the same browser, on the same notebooks and kernels."""
        other = object.__new__(Person)
        other.page = self._context.new_page()
        other.page.goto(self._second)
        other._wait_until_open()
        return other

    def theme(self, name: str) -> None:
        """JupyterLab's colours: "JupyterLab Dark" or "JupyterLab Light"."""
        change = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
        self.page.evaluate(change, name)
        self.page.wait_for_timeout(2000)

    def errors(self, notebook: str) -> list[str]:
        """The errors that cells show, and what they print on standard error."""
        outputs = [output for cell in self.cells(notebook) for output in cell.get("outputs", [])]
        errors = [_text(output["traceback"]) for output in outputs if output["output_type"] == "error"]
        return errors + [_text(output["text"]) for output in outputs if output.get("name") == "stderr"]

    def kernel(self, notebook: str) -> str:
        """The id of the notebook's kernel."""
        return self.page.evaluate(f"name => {FIND}.sessionContext.session.kernel.id", notebook)

    def show(self, notebook: str, code: str) -> None:
        """Scrolls to the cell that holds ``code``."""
        self.open(notebook)
        self.page.evaluate(SHOW, [notebook, self._place(notebook, code)])

    def chart(self, top: float = 0, bottom: float = 1) -> str:
        """The chart's picture as it is drawn on the page, from ``top`` to ``bottom`` (shares of its height)."""
        return self.page.evaluate(PICTURE, [CHART, top, bottom])

    def zoom(self) -> None:
        """Draws a rectangle around the middle of the chart, by its toolbar's zoom."""
        self.press("Zoom")
        box = self.page.locator(CHART).bounding_box()
        corners = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in [(0.3, 0.3), (0.6, 0.8)]]
        for move, act in zip(corners, (self.page.mouse.down, self.page.mouse.up), strict=True):
            self.page.mouse.move(*move, steps=4)
            self.page.wait_for_timeout(HAND_MS)
            act()
        self.page.wait_for_timeout(HAND_MS)
        self.press("Zoom")

    def press(self, button: str) -> None:
        """Presses one of the chart's buttons, which are visible while the mouse is over the chart."""
        self.page.locator(CHART).hover()
        self.page.locator(f".jupyter-matplotlib-button[title^='{button}']").click()
        self.page.wait_for_timeout(HAND_MS)
        self.page.mouse.move(0, 0)

    def _place(self, notebook: str, code: str) -> int:
        code_cells = enumerate(self.cells(notebook))
        (place,) = [at for at, each in code_cells if each["cell_type"] == "code" and code in _text(each["source"])]
        return place


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
