"""JupyterLab with the three notebooks open and the broker running; both end together."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from jupyterlab_server.workspaces_handler import WorkspacesManager

from fraudstream.errors import FraudstreamError, Note
from fraudstream.kafka.broker import stop_broker_afterwards
from fraudstream.kafka.client import bootstrap
from fraudstream.run.headless import NOTEBOOKS
from fraudstream.settings import PROJECT, Settings
from fraudstream.storage.folders import writing_to

WORKSPACE = "fraudstream"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def lab(
    settings: Settings,
    options: Sequence[str] = (),
    folder: Path = PROJECT,
    note: Note = print,
) -> None:
    """Runs JupyterLab on 127.0.0.1, with its token and ``options``, in the notebooks' ``folder``, until Ctrl-C.

    Its kernels end with it, and so does the broker, unless it was running before.
    Raises FraudstreamError if JupyterLab ends by itself with an error, OutputError if a folder cannot be written.
    """
    with stop_broker_afterwards(settings, "lab"):
        bootstrap(settings, note)
        for each in ENDING:
            signal.signal(each, signal.default_int_handler)
        # a session of its own: Ctrl-C reaches only this process, which ends JupyterLab once and in order
        process = subprocess.Popen(_command(settings, folder, options), cwd=folder, start_new_session=True)
        try:
            code = process.wait()
        except KeyboardInterrupt:
            for each in ENDING:
                signal.signal(each, signal.SIG_IGN)
            note("Ending JupyterLab and the notebooks' kernels ...")
            process.terminate()
            process.wait()
            return
    if code:
        raise FraudstreamError(f"JupyterLab ended with exit code {code}. Its last lines, above, give the reason.")


def _command(settings: Settings, folder: Path, options: Sequence[str]) -> list[str]:
    workspaces = settings.output_dir / "lab"
    with writing_to(workspaces):
        _save_workspace(workspaces)
    root = ["--allow-root"] if os.geteuid() == 0 else []
    return [
        *(sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={folder}", *root),
        *(f"--LabApp.workspaces_dir={workspaces}", f"--LabApp.default_url=/lab/workspaces/{WORKSPACE}"),
        *options,
    ]


def _save_workspace(folder: Path) -> None:
    """A workspace that opens with the three notebooks, the first in front."""
    widgets = [f"notebook:{path.name}" for path in NOTEBOOKS.values()]
    area = {"type": "tab-area", "currentIndex": 0, "widgets": widgets}
    layout = {"main": {"dock": area, "current": widgets[0]}}
    notebooks = {
        f"notebook:{path.name}": {"data": {"path": path.name, "factory": "Notebook"}} for path in NOTEBOOKS.values()
    }
    workspace = {"data": {"layout-restorer:data": layout, **notebooks}, "metadata": {"id": WORKSPACE}}
    WorkspacesManager(str(folder)).save(WORKSPACE, json.dumps(workspace))
