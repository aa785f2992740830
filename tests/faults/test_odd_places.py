"""A whole run as another user without a home and without network, with data that cannot be written."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fraudstream.settings import PROJECT, Settings

BATCHES = 8
NOBODY = 65534
# in a network of its own there is nothing but 127.0.0.1, and at first not even that
WITHOUT_NETWORK = ("unshare", "--net", "--")
AS_NOBODY = f"""
import fcntl, os, socket, struct, sys
with socket.socket() as any:
    fcntl.ioctl(any, 0x8914, struct.pack("16sh", b"lo", 1))  # the loopback is up
os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY})
os.execvp(sys.executable, [sys.executable, "-m", "fraudstream", *sys.argv[1:]])
"""
pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def places(shop_dir, model_dir):
    """A folder that everybody may enter: data and model to read, one folder to write."""
    if os.geteuid() or subprocess.run([*WITHOUT_NETWORK, "true"], capture_output=True).returncode:
        pytest.skip("another user and a network of its own need root")
    folder = Path(tempfile.mkdtemp(prefix="odd-places-"))
    try:
        shutil.copytree(shop_dir, folder / "data")
        shutil.copy(model_dir / "my_ML_model.zip", folder)
        (folder / "output").mkdir()
        os.chown(folder / "output", NOBODY, NOBODY)
        subprocess.run(["chmod", "-R", "a+rX,go-w", folder], check=True)
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def ended(places):
    own = {
        "FRAUDSTREAM_DATA_DIR": places / "data",
        "FRAUDSTREAM_MODEL": places / "my_ML_model.zip",
        "FRAUDSTREAM_OUTPUT_DIR": places / "output",
        "FRAUDSTREAM_IDLE_S": 5,
        "SPARK_MASTER": "local[2]",
    }
    left_out = {*Settings.environment_names().values(), "HOME", "USER", "LOGNAME"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment |= {name: str(value) for name, value in own.items()}
    command = [*WITHOUT_NETWORK, sys.executable, "-c", AS_NOBODY, "run", "--batches", str(BATCHES), "--interval", "0.5"]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=360)


def test_without_home_network_and_rights_a_run_is_complete(ended, places):
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    summary = json.loads((places / "output" / "summary.json").read_text())
    assert (summary["batches"], summary["lost"], summary["unread"], summary["reports_wrong"]) == (BATCHES, 0, 0, 0)
    assert summary["predicted"] > 30


def test_the_data_are_as_they_were(ended, places, shop_dir):
    for path in shop_dir.iterdir():
        assert (places / "data" / path.name).read_bytes() == path.read_bytes()
