"""Set-up and clean-up: what is there is left alone, what is missing is said, what is the user's stays."""

import shutil
import subprocess
import sys

import pytest

from fraudstream.data.generate import generate
from fraudstream.model.train.evaluate import METRICS, sha256
from fraudstream.settings import PROJECT
from tools.clean import generated_data, trained_model


@pytest.fixture
def clone(tmp_path):
    """What set-up needs of a clone."""
    package = ("__init__.py", "errors.py", "runtime/__init__.py", "runtime/java.py")
    for name in ("tools/setup.sh", "requirements.txt", *(f"fraudstream/{each}" for each in package)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    return tmp_path


def set_up(clone, **environment):
    return subprocess.run(["sh", clone / "tools" / "setup.sh"], env=environment, capture_output=True, text=True)


def test_what_is_set_up_is_left_alone(clone):
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to(sys.executable)
    shutil.copy(clone / "requirements.txt", clone / ".venv")
    ended = set_up(clone, PATH="/usr/bin:/bin")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_python_that_is_too_old_is_refused(clone):
    (clone / "old").write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1\n')
    (clone / "old").chmod(0o755)
    ended = set_up(clone, PATH="/usr/bin:/bin", PYTHON=str(clone / "old"))
    advice = "Python 3.10 to 3.13 is needed: make PYTHON=python3.12, for example."
    expected = f"set-up: {clone / 'old'} is Python 3.9.1. {advice}\n"
    assert (ended.returncode, ended.stderr, (clone / ".venv").exists()) == (1, expected, False)


def test_clean_removes_generated_data_but_not_a_file_that_was_changed(tmp_path):
    generate(tmp_path, scale=0.01, progress=False)
    (tmp_path / "customer.csv").write_text("mine")
    removed = {path.name for path in generated_data(tmp_path)}
    assert "product.csv" in removed
    assert "customer.csv" not in removed


def test_clean_removes_the_model_that_was_trained_here_only(tmp_path):
    zipped, metrics = tmp_path / "my_ML_model.zip", tmp_path / METRICS
    zipped.write_text("a model")
    assert list(trained_model(zipped)) == []
    metrics.write_text(f'{{"sha256": "{sha256(zipped)}"}}')
    assert {zipped, metrics} <= set(trained_model(zipped))
    zipped.write_text("another")
    assert list(trained_model(zipped)) == []
