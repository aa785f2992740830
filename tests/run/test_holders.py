"""One holder per output folder and checkpoint: named in the refusal, gone with its process."""

import os
import re
import signal
import subprocess
import sys

import pytest

from fraudstream.errors import OutputError
from fraudstream.run.lock import hold, hold_output_folder
from fraudstream.runtime import locks
from fraudstream.settings import PROJECT, load_settings

HOLDER = """
import sys, time
from fraudstream.run.lock import hold, hold_output_folder
from fraudstream.settings import load_settings

settings = load_settings(output_dir=sys.argv[1], storage=sys.argv[3])
held = hold_output_folder(settings, sys.argv[2]) if sys.argv[2] in ("run", "reset") else hold(settings, sys.argv[2])
with held:
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(settings):
    """A function that starts another process that holds the output folder, and returns it."""
    started = []

    def start(who, output_dir=settings.output_dir, storage=""):
        command = [sys.executable, "-c", HOLDER, str(output_dir), who, storage]
        started.append(subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def refusal(settings, take):
    with pytest.raises(OutputError) as caught, take():
        raise AssertionError("taken")
    return re.sub(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "since then", str(caught.value))


def expected(settings, who, process):
    return (
        f"{settings.output_dir} is in use by {who} (process {process.pid}, since then). Wait until that ends, stop it "
        "(a notebook: run its last cell or shut down its kernel), or set FRAUDSTREAM_OUTPUT_DIR to another folder."
    )


@pytest.mark.parametrize("task", ["Task 1", "Task 2", "Task 3"])
def test_run_and_reset_are_refused_while_a_notebook_uses_the_folder(settings, holder, task):
    process = holder(task)
    assert refusal(settings, lambda: hold_output_folder(settings, "reset")) == expected(settings, task, process)
    process.kill()
    process.wait()
    with hold_output_folder(settings, "reset"):
        assert locks.is_held(settings.output_dir / "run.lock")


@pytest.mark.parametrize("task", ["Task 1", "Task 2", "Task 3"])
def test_a_notebook_is_refused_while_a_run_uses_the_folder(settings, holder, task):
    process = holder("run")
    assert refusal(settings, lambda: hold(settings, task)) == expected(settings, "run", process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with hold(settings, task), pytest.raises(OutputError):
        with hold_output_folder(settings):
            pass


@pytest.mark.parametrize("task", ["Task 1", "Task 2"])
def test_a_second_task_1_or_2_is_refused(settings, holder, task):
    process = holder(task)
    assert refusal(settings, lambda: hold(settings, task)) == expected(settings, task, process)


def test_the_three_tasks_and_a_second_chart_share_the_folder(settings, holder):
    for task in ("Task 1", "Task 2", "Task 3", "Task 3"):
        holder(task)
    with hold(settings, "Task 3"):
        assert len(list((settings.output_dir / "holders").glob("task-3-*"))) == 3
    assert len(list((settings.output_dir / "holders").glob("task-3-*"))) == 2


def test_a_checkpoint_outside_of_the_output_folder_has_one_holder_whatever_the_output_folder(tmp_path, holder):
    storage = f"file://{tmp_path}/shared"
    process = holder("Task 2", tmp_path / "one", storage)
    settings = load_settings(output_dir=tmp_path / "two", storage=storage)
    for take in (lambda: hold(settings, "Task 2"), lambda: hold_output_folder(settings)):
        assert refusal(settings, take) == expected(settings, "Task 2", process)
    with hold(settings, "Task 1"):
        pass


def test_a_run_does_not_refuse_its_own_notebooks(settings):
    with hold_output_folder(settings):
        command = [
            sys.executable,
            "-c",
            HOLDER.replace("sleep(60)", "sleep(0)"),
            str(settings.output_dir),
            "Task 2",
            "",
        ]
        assert subprocess.run(command, cwd=PROJECT, capture_output=True, text=True).stdout == "held\n"


def test_a_cell_that_runs_twice_holds_once_and_what_is_released_is_free(settings):
    first = hold(settings, "Task 2")
    hold(settings, "Task 2")
    first.release()
    with hold_output_folder(settings):
        pass


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    settings = load_settings(output_dir=tmp_path / "file" / "output")
    with pytest.raises(OutputError) as caught, hold_output_folder(settings):
        pass
    assert str(caught.value) == (
        f"{settings.output_dir} cannot be written: a part of the path is a file. Fix its permissions, or "
        "choose another folder (FRAUDSTREAM_OUTPUT_DIR for results)."
    )
