"""Commands in messages: what is printed works where the user is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fraudstream.settings import PROJECT

PRINTED = "from fraudstream.errors import command; print(command('train --help'))"


def printed(folder: Path, path: str) -> str:
    """The command that a process in ``folder`` prints; ``path``: its PATH."""
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(PROJECT)}
    return subprocess.check_output([sys.executable, "-c", PRINTED], cwd=folder, env=environment, text=True).strip()


@pytest.mark.parametrize("activated", [True, False])
@pytest.mark.parametrize("in_the_project", [True, False])
def test_the_command_of_a_message_works_when_it_is_pasted(tmp_path, activated, in_the_project):
    folder = PROJECT if in_the_project else tmp_path
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin" if activated else "/usr/bin:/bin"
    shown = printed(folder, path)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PATH": path}
    help_ = subprocess.check_output(["sh", "-c", shown], cwd=folder, env=environment, text=True)
    assert help_.split()[:5] == ["Usage:", "python", "-m", "fraudstream", "train"]
    assert (" && " in shown) is not in_the_project
    assert ("python -m fraudstream" == shown.removesuffix(" train --help")) is (activated and in_the_project)
