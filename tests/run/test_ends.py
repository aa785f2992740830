"""How `run` ends when it is interrupted or killed, with real kernels (of three small notebooks) and a real broker."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest

from fraudstream.kafka import broker as embedded
from fraudstream.kafka.broker import process
from fraudstream.settings import PROJECT, Settings

pytestmark = pytest.mark.faults

# `run` with notebooks of a few lines instead of the real ones, and without data and model
RUN = """
import sys
from pathlib import Path

from fraudstream import cli
from fraudstream.run import headless

headless.NOTEBOOKS = {name: Path(sys.argv[1]) / f"{name}.ipynb" for name in headless.NOTEBOOKS}
headless.ensure_data = headless._check_files_and_model = lambda *given: None
sys.argv = ["fraudstream", *sys.argv[2:]]
cli.main()
"""
STARTS = """
from pathlib import Path
from fraudstream.settings import load_settings
started = load_settings().checkpoints / "predictions" / "metadata"
started.parent.mkdir(parents=True)
started.touch()
"""
SLEEPS = "import os, time\nprint('kernel', os.getpid(), flush=True)\ntime.sleep({})"


@pytest.fixture
def notebooks(tmp_path):
    """The three small notebooks: Task 2 has started at once, and each then sleeps for a minute."""
    for name, first in (("Task 1", "pass"), ("Task 2", STARTS), ("Task 3", "pass")):
        cells = [nbformat.v4.new_code_cell(source) for source in (first, SLEEPS.format(60))]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    return tmp_path


@pytest.fixture
def command(settings, notebooks):
    """A function that starts a command on the test's output folder."""
    names = {*Settings.environment_names().values()}
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    environment = inherited | {"FRAUDSTREAM_OUTPUT_DIR": str(settings.output_dir), "PYTHONUNBUFFERED": "1"}
    started = []

    def start(*arguments):
        program = [sys.executable, "-c", RUN, str(notebooks), *arguments]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(program, cwd=PROJECT, env=environment, text=True, **pipes))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()
    embedded.stop(settings)


def kernels(running):
    """The process ids of the three kernels, once all of them run."""
    pids = []
    while len(pids) < 3:
        line = running.stdout.readline()
        assert line, running.stderr.read()
        pids += [int(line.split()[-1])] if ": kernel " in line else []
    return pids


def gone(pids):
    deadline = time.monotonic() + 20
    while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not any(psutil.pid_exists(pid) for pid in pids)


def test_ctrl_c_ends_a_run_with_one_line_and_stops_kernels_and_broker(command, settings):
    running = command("run")
    pids = kernels(running)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert errors == "Interrupted: the notebooks and the broker have been stopped.\n"
    assert running.returncode == 130
    assert gone(pids)
    assert not embedded.status(settings).running


def test_the_broker_of_a_killed_run_is_named_and_the_next_command_stops_it(command, settings):
    running = command("run")
    pids = kernels(running)
    running.kill()
    running.communicate()
    left = embedded.status(settings)
    assert left.running
    assert f", left behind by run (process {running.pid}, since 20" in repr(left)
    assert gone(pids)
    ended = command("reset")
    assert (ended.communicate(timeout=60)[1], ended.returncode) == ("", 0)
    assert not embedded.status(settings).running


def test_a_broker_that_is_started_on_purpose_after_a_kill_stays(command, settings):
    running = command("run")
    kernels(running)
    running.kill()
    running.communicate()
    for arguments in (("broker", "start"), ("reset",)):
        ended = command(*arguments)
        assert (ended.communicate(timeout=60)[1], ended.returncode) == ("", 0)
    assert embedded.status(settings).running
    assert "left behind" not in repr(embedded.status(settings))


def test_a_run_starts_its_killed_broker_again_and_says_so(command, settings):
    running = command("run")
    kernels(running)
    os.kill(process.find(settings.broker_dir).pid, signal.SIGKILL)
    lines = iter(running.stdout.readline, "")
    assert any("The embedded broker was killed: starting it again." in line for line in lines)
    assert any(line.startswith("Kafka answers at ") for line in lines)
    assert embedded.status(settings).answers
