"""Notes and errors for the user. An error says what was found, where, and what to do."""

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

# shows a line to the user: print, or a notebook's display
Note = Callable[[str], object]

_PROJECT = Path(__file__).resolve().parents[1]


def command(arguments: str) -> str:
    """The shell command for ``python -m fraudstream <arguments>`` that works from the current folder.

    With the project's own Python (``.venv/bin/python``, or ``python`` where an activated environment puts it first on
    PATH), and from the project's folder, because the package is not installed in that environment.
    """
    own = Path(sys.executable)
    first = shutil.which("python")
    if first and Path(first).parent == own.parent:
        python = "python"
    elif own.is_relative_to(_PROJECT):
        python = shlex.quote(str(own.relative_to(_PROJECT)))
    else:
        python = shlex.quote(str(own))
    there = "" if Path.cwd() == _PROJECT else f"cd {shlex.quote(str(_PROJECT))} && "
    return f"{there}{python} -m fraudstream {arguments}"


class FraudstreamError(Exception):
    """Base of all errors: the command line prints it as one line and exits with code 1."""


class Interrupted(FraudstreamError):
    """The user ended the command (Ctrl-C): exit code 130."""


class SettingsError(FraudstreamError):
    """A setting has an invalid value."""


class DataError(FraudstreamError):
    """An input file is missing, empty, or not as data/README.md describes it."""


class ModelError(FraudstreamError):
    """The model's zip is missing, damaged, unsafe, or needs columns that the stream does not have."""


class BrokerError(FraudstreamError):
    """Kafka cannot be started or reached, or rejects a message."""


class RuntimeMissingError(FraudstreamError):
    """Something outside Python is missing: Java 17 or newer, or jars that were never downloaded."""


class OutputError(FraudstreamError):
    """The output folder holds results of another run, is in use, or cannot be written."""
