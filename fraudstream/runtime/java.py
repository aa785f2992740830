"""Finds the Java that runs Kafka, Ivy and Spark: JAVA_HOME first, then PATH, as Spark itself does.

``python -m fraudstream.runtime.java`` shows it, or says what to install and ends with exit code 1.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from fraudstream.errors import RuntimeMissingError

OLDEST = 17
# Spark 4.2 is started with --add-modules=jdk.incubator.vector and ends at once where the runtime lacks it
NEEDED_MODULE = "jdk.incubator.vector"
REMEDY = (
    f"Install a full Java runtime, {OLDEST} or newer (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; "
    "macOS: brew install openjdk@17), or let JAVA_HOME name one."
)


def java() -> Path:
    """The java program, checked once a process.

    Raises RuntimeMissingError when there is none, it is older than 17, or lacks the module that Spark needs.
    """
    return _checked(_candidate())


@contextmanager
def java_output_to(log: Path) -> Iterator[None]:
    """While entered, a Java that is started writes its standard error to the file ``log``, for as long as it lives.

    It warns about things that no user can change. This process's own standard error is as before afterwards.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    before = os.dup(2)
    try:
        with log.open("a") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def _candidate() -> Path:
    home = os.environ.get("JAVA_HOME")
    if home:
        program = Path(home).expanduser() / "bin" / "java"
        if not os.access(program, os.X_OK):
            raise RuntimeMissingError(f"JAVA_HOME={home}: no program bin/java there. Correct or unset it. {REMEDY}")
        return program
    found = shutil.which("java")
    if not found:
        raise RuntimeMissingError(f"Java is missing: JAVA_HOME is not set, and PATH has no java. {REMEDY}")
    return Path(found)


@lru_cache
def _checked(program: Path) -> Path:
    answer = _ask(program, "-version")
    version = re.search(r'version "(?:1\.)?(\d+)', answer)
    if not version:
        said = " ".join(answer.split())[:200] or "nothing"
        raise RuntimeMissingError(f"{program} -version does not tell its version (it said: {said}). {REMEDY}")
    if int(version.group(1)) < OLDEST:
        raise RuntimeMissingError(f"{program} is Java {version.group(1)}, too old. {REMEDY}")
    if NEEDED_MODULE not in _ask(program, "--list-modules"):
        raise RuntimeMissingError(f"{program} lacks module {NEEDED_MODULE}. {REMEDY}")
    return program


def _ask(program: Path, option: str) -> str:
    """What java answers on both outputs; java -version writes to standard error."""
    try:
        answer = subprocess.run([program, option], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeMissingError(f"{program} {option} does not run: {error}. {REMEDY}") from error
    return answer.stdout + answer.stderr


if __name__ == "__main__":
    try:
        print(java())
    except RuntimeMissingError as error:
        sys.exit(f"{type(error).__name__}: {error}")
