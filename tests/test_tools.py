"""Installation and clean-up: what is installed is left alone, what is missing is named, the user's files stay."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fraudstream.data.generate import generate
from fraudstream.model import sha256
from fraudstream.model.saved import METRICS
from fraudstream.settings import PROJECT
from tools.clean import clean_output, generated_data, trained_model
from tools.lock import LOCKS


@pytest.fixture
def clone(tmp_path):
    """The files of a clone that the installation needs."""
    package = ("__init__.py", "errors.py", "runtime/__init__.py", "runtime/java.py")
    for name in ("tools/setup.sh", *LOCKS.values(), *(f"fraudstream/{each}" for each in package)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    return tmp_path


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def venv(clone):
    """The clone's .venv without packages. Its Python notes the arguments of pip in `pip` instead of installing."""
    note = f'echo "$@" >>{clone}/pip; case "$*" in *uv.txt*) exit 1;; esac; exit ${{PIP_ENDS:-0}}'
    program(clone / ".venv/bin/python", f'[ "$2" != pip ] || {{ {note}; }}\nexec {sys.executable} "$@"')
    return clone / ".venv"


@pytest.fixture
def uv(clone):
    """A uv on the PATH that notes its arguments in `uv` instead of installing."""
    notes = clone / "uv"
    program(clone / "bin/uv", f'[ "$1" = --version ] || {{ echo "$@" >>{notes}; exit ${{UV_ENDS:-0}}; }}')
    return notes


def installed(clone):
    (clone / ".venv/installed.txt").write_text("".join((clone / name).read_text() for name in LOCKS.values()))


def set_up(clone, **environment):
    """Run set-up. The PATH begins with bin/ of the clone, where a uv that cannot run hides the machine's."""
    if not (clone / "bin/uv").exists():
        program(clone / "bin/uv", "exit 127")
    environment = {"PATH": f"{clone}/bin:/usr/bin:/bin", **environment}
    return subprocess.run(["sh", clone / "tools" / "setup.sh"], env=environment, capture_output=True, text=True)


def test_what_is_set_up_is_left_alone(clone, venv, uv):
    installed(clone)
    ended = set_up(clone)
    assert (ended.returncode, ended.stdout, ended.stderr, uv.exists()) == (0, "", "", False)


@pytest.mark.parametrize("name", LOCKS.values())
def test_a_changed_lock_is_installed_once(clone, venv, uv, name):
    installed(clone)
    (clone / name).write_text((clone / name).read_text() + "# changed\n")
    assert [set_up(clone).returncode, set_up(clone).returncode] == [0, 0]
    (arguments,) = uv.read_text().splitlines()
    assert "--require-hashes" in arguments
    assert arguments.endswith("-r requirements.txt -r requirements-tests.txt")


def test_without_uv_pip_installs_the_same_files_with_hashes(clone, venv):
    ended = set_up(clone)
    sought, builder, packages = (clone / "pip").read_text().splitlines()
    assert ("uv.txt" in sought, "setuptools.txt" in builder) == (True, True)
    assert packages.endswith("-r requirements.txt -r requirements-tests.txt")
    assert all("--require-hashes" in arguments for arguments in (sought, builder, packages))
    assert (ended.returncode, "with pip, once" in ended.stdout) == (0, True)
    for name in ("uv", "setuptools"):
        alone = rf"{name}==[\d.]+( *\\\n +--hash=sha256:[0-9a-f]{{64}})+\n"
        assert re.fullmatch(alone, (venv / f"{name}.txt").read_text())


def test_pip_tries_what_uv_could_not_install(clone, venv, uv):
    ended = set_up(clone, UV_ENDS="1")
    assert (ended.returncode, len((clone / "pip").read_text().splitlines())) == (0, 2)
    assert "uv could not install them; pip tries" in ended.stdout


def test_what_was_not_installed_is_tried_again(clone, venv, uv):
    installed(clone)
    (clone / "requirements.txt").write_text("changed")
    ended = set_up(clone, UV_ENDS="1", PIP_ENDS="1")
    advice = "The first set-up needs the network; start again once it is there."
    expected = f"set-up: the packages could not be installed, see above. {advice}\n"
    assert (ended.returncode, ended.stderr, (venv / "installed.txt").exists()) == (1, expected, False)


def tiny(folder):
    """A wheel of a package without any code."""
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as zipped:
        zipped.writestr("tiny.py", "")
        zipped.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        zipped.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        zipped.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\n")
    return wheel


def test_a_package_that_is_not_the_locked_one_is_refused(clone, tmp_path_factory):
    """The real uv and the real pip, offline, with a package of our own."""
    wheel = tiny(tmp_path_factory.mktemp("wheels"))
    program(clone / "bin/uv", f'exec {Path(sys.executable).with_name("uv")} "$@"')
    offline = {"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(wheel.parent), "UV_NO_CACHE": "1"}
    offline |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel.parent), "PYTHON": sys.executable}
    (clone / "requirements-tests.txt").write_text("")
    (clone / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    refused = set_up(clone, **offline)
    assert (refused.returncode, "Hash mismatch for" in refused.stderr) == (1, True)
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in refused.stderr
    (clone / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{sha256(wheel)}\n")
    accepted = set_up(clone, **offline)
    assert (accepted.returncode, "pip tries" in accepted.stdout) == (0, False)


def test_another_python_than_that_of_the_venv_is_refused(clone, venv, uv):
    installed(clone)
    other = program(clone / "other", "echo 3.99")
    has = "{}.{}".format(*sys.version_info[:2])
    ended = set_up(clone, PYTHON=str(other))
    told = f".venv has Python {has}, and PYTHON={other} is Python 3.99. Remove .venv (rm -r .venv), then start again."
    assert (ended.returncode, ended.stderr) == (1, f"set-up: {told}\n")
    assert set_up(clone, PYTHON=sys.executable).returncode == 0


def test_a_python_that_is_too_old_is_refused(clone):
    program(clone / "old", '[ "$1" = --version ] && echo Python 3.9.1')
    ended = set_up(clone, PYTHON=str(clone / "old"))
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


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def output(tmp_path):
    """An output folder with results, two files of the user's, and a run that a reset put aside."""
    made = [
        *("predictions/batch_id=0/part-0.parquet", "predictions.query.json", "quarantine/batch_id=3/part-0.parquet"),
        *("checkpoints/predictions/commits/0", "broker/data/meta.properties", "logs/spark.log", "logs/spark.log.1"),
        *("reports.sqlite", "summary.json", "notebooks/A2B-Task1_producer.ipynb", "bench/summary.json", "run.lock"),
    ]
    for name in (*made, "my notes.txt", "notebooks/mine.ipynb", "earlier/2026-01-01T000000/summary.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_clean_leaves_the_user_s_files_and_earlier_runs(output):
    left = clean_output(output, agreed=lambda earlier: False)
    assert files(output) == ["earlier/2026-01-01T000000/summary.json", "my notes.txt", "notebooks/mine.ipynb"]
    assert [path.name for path in left] == ["earlier", "my notes.txt", "notebooks"]


def test_clean_removes_earlier_runs_when_the_user_agrees(output):
    asked = []
    clean_output(output, agreed=lambda earlier: asked.append(earlier) is None)
    assert (asked, files(output)) == ([output / "earlier"], ["my notes.txt", "notebooks/mine.ipynb"])


def test_clean_removes_an_output_folder_that_holds_nothing_else(output):
    for path in (output / "my notes.txt", output / "notebooks" / "mine.ipynb"):
        path.unlink()
    assert (clean_output(output, agreed=lambda earlier: True), output.exists()) == ([], False)
