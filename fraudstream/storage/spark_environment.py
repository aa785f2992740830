"""The Spark and Python of a session: always this environment's, regardless of variables of an older Spark.

The variables of an older installation are common (a ``.bashrc`` of another course). pyspark uses them unchecked:
its Java side would then be another version than its Python side, and its workers another Python than the notebook's.
"""

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from fraudstream.errors import Note, RuntimeMissingError, SettingsError

SPARK = version("pyspark")
# each would change how pyspark starts its Java or its workers: other jars, another process, another kind of session
IGNORED = (
    "PYSPARK_SUBMIT_ARGS",
    "PYSPARK_DRIVER_PYTHON",
    "PYSPARK_DRIVER_PYTHON_OPTS",
    "PYSPARK_GATEWAY_PORT",
    "PYSPARK_GATEWAY_SECRET",
    "PYSPARK_PIN_THREAD",
    "SPARK_API_MODE",
    "SPARK_CONNECT_MODE_ENABLED",
    "SPARK_ENV_LOADED",
    "SPARK_LOCAL_REMOTE",
    "SPARK_REMOTE",
    "SPARK_TESTING",
)
# variables that pyspark itself sets in a process with a session are not reported
SET_BY_PYSPARK = frozenset({"SPARK_ENV_LOADED", "PYSPARK_PIN_THREAD"})
DEFAULTS_FILE = "spark-defaults.conf"
_PACKAGE = re.compile(r"org\.apache\.spark:[\w.-]+?_([\d.]+):([\w.-]+)")

_MASTER = re.compile(r"local(\[(\d+|\*)(,\d+)?\])?|spark://\S+:\d+(,\S+:\d+)*|yarn|k8s://\S+")


def valid_master(value: str) -> str:
    """``value`` unchanged; raises ValueError if it is no address of a Spark master."""
    if not _MASTER.fullmatch(value):
        raise ValueError("not an address of Spark: local[4], spark://host:7077, yarn or k8s://https://host:port")
    return value


def use_own_spark(worker_python: str = "", note: Note = print) -> None:
    """Sets this process's variables so that the Spark it starts is the installed pyspark, with this very Python.

    ``worker_python``: the Python of Spark's workers on a cluster; empty: this process's own. Ignored variables are
    reported to ``note``, once. Raises RuntimeMissingError if PYTHONPATH puts another pyspark first, SettingsError if
    SPARK_CONF_DIR asks for the packages of another Spark version.
    """
    home = _own_home()
    ignored = [name for name in IGNORED if os.environ.pop(name, "") and name not in SET_BY_PYSPARK]
    foreign = os.environ.get("SPARK_HOME", "")
    if foreign and not _is_version(Path(foreign)):
        ignored.append("SPARK_HOME")
        if _belongs_to(os.environ.get("SPARK_CONF_DIR", ""), foreign):
            ignored.append("SPARK_CONF_DIR")
            del os.environ["SPARK_CONF_DIR"]
    if not foreign or "SPARK_HOME" in ignored:
        os.environ["SPARK_HOME"] = str(home)
    python = worker_python or sys.executable
    if os.environ.get("PYSPARK_PYTHON", python) != python:
        ignored.append("PYSPARK_PYTHON")
    os.environ["PYSPARK_PYTHON"] = python
    _check_defaults(Path(os.environ.get("SPARK_CONF_DIR") or f"{os.environ['SPARK_HOME']}/conf"))
    if ignored:
        note(f"Ignored environment variables of another Spark: {', '.join(ignored)}. Spark {SPARK} is used.")


def _own_home() -> Path:
    """The folder of the installed pyspark. Raises RuntimeMissingError when another one would be imported."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise RuntimeMissingError("pyspark is not installed here: pip install -r requirements.txt.")
    home = Path(spec.origin).parent
    if not _is_version(home):
        raise RuntimeMissingError(
            f"{home}: this pyspark is not version {SPARK}; PYTHONPATH puts it before the project's. Unset PYTHONPATH "
            "and start again."
        )
    return home


def _is_version(home: Path) -> bool:
    """Whether the Spark in ``home`` is of the installed pyspark's version."""
    return any(home.glob(f"jars/spark-core_*-{SPARK}.jar"))


def _belongs_to(folder: str, home: str) -> bool:
    return bool(folder) and Path(folder).resolve().is_relative_to(Path(home).resolve())


def _check_defaults(folder: Path) -> None:
    """Raises SettingsError when spark-defaults.conf in ``folder`` asks for packages of another Spark."""
    file = folder / DEFAULTS_FILE
    for scala, wanted in _spark_packages(file):
        if wanted != SPARK:
            raise SettingsError(
                f"SPARK_CONF_DIR={folder}: {DEFAULTS_FILE} asks for a package of Spark {wanted} (Scala {scala}), and "
                f"this is Spark {SPARK}. Unset SPARK_CONF_DIR, or correct the package there."
            )


def _spark_packages(file: Path) -> Iterator[tuple[str, str]]:
    """Scala version and Spark version of each Spark package named in ``file``; none without the file."""
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            yield from _PACKAGE.findall(line)
