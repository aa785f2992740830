"""Ctrl-C while `train` trains: one line, exit code 130, and the older model is still there."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fraudstream.settings import PROJECT, Settings

pytestmark = pytest.mark.faults


@pytest.fixture
def training(shop_dir, tmp_path):
    """`train` in a process group of its own, once Spark has begun, and the model's path."""
    (tmp_path / "model").mkdir()
    zipped = tmp_path / "model" / "my_ML_model.zip"
    zipped.write_bytes(b"the older model")
    inherited = {name: value for name, value in os.environ.items() if name not in Settings.environment_names().values()}
    own = {"FRAUDSTREAM_DATA_DIR": shop_dir, "FRAUDSTREAM_MODEL": zipped, "FRAUDSTREAM_OUTPUT_DIR": tmp_path / "out"}
    environment = inherited | {name: str(value) for name, value in own.items()} | {"PYTHONUNBUFFERED": "1"}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-m", "fraudstream", "train"]
    running = subprocess.Popen(command, cwd=PROJECT, env=environment, start_new_session=True, **pipes)
    yield running, zipped
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGKILL)
    running.communicate()


def test_ctrl_c_ends_a_training_with_one_line_and_keeps_the_older_model(training):
    running, zipped = training
    assert any(line.startswith("Training on ") for line in iter(running.stdout.readline, ""))
    time.sleep(2)
    os.killpg(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert (errors, running.returncode) == ("Interrupted: the training has been stopped.\n", 130)
    assert zipped.read_bytes() == b"the older model"
    assert list(zipped.parent.iterdir()) == [zipped]
