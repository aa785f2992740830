"""What notebook cells show: the settings that the notebook uses, a function's source, how to reproduce the run."""

import inspect
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from IPython.display import Code, display

from fraudstream.data.generate import manifest
from fraudstream.runtime.table import Table
from fraudstream.settings import PROJECT, Settings


def settings_table(settings: Settings, *fields: str) -> Table:
    """Name, value and meaning of these settings (all without any named); the empty ones by name below."""
    names, described = settings.environment_names(), type(settings).model_fields
    values = {each: getattr(settings, each) for each in fields or names}
    texts = {each: "" if value is None else str(value) for each, value in values.items()}
    rows = [(names[each], text, described[each].description or "") for each, text in texts.items() if text]
    empty = ", ".join(names[each] for each, text in texts.items() if not text)
    return Table(("setting", "value", "meaning"), rows, [f"Not set: {empty}."] if empty else [])


def reproduce(settings: Settings) -> Table:
    """What it takes to get the same again: versions, the data's seed, the commit, the machine."""
    made = manifest.load(settings.data_dir)
    data = f"scale {made.scale:g}, seed {made.seed}" if made else "not made by this project"
    git = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip() if shutil.which("git") else ""
    packages = ", ".join(f"{name} {version(name)}" for name in ("pyspark", "kafka-python", "kafka-python3", "pandas"))
    rows = [
        ("Python", platform.python_version()),
        ("packages", packages),
        ("data", data),
        ("commit", commit or "unknown"),
        ("machine", f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"),
    ]
    return Table(("", ""), rows)


def show_source(*functions: Callable[..., Any] | type) -> None:
    """Shows the source of functions or classes, coloured."""
    display(Code("\n\n".join(inspect.getsource(each).rstrip() for each in functions), language="python"))
