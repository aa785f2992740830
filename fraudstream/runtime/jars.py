"""The two sets of jars: Spark's Kafka connector (``spark``) and Apache Kafka itself (``broker``).

Every jar is pinned in ``jars.lock`` by its coordinates, size and SHA-256. A set is downloaded once, by the Ivy that
pyspark ships, into the folder of FRAUDSTREAM_JARS_DIR (.cache/jars); ``~/.m2`` and ``~/.ivy2`` are neither read nor
written. After that, no network is needed. After a change of ``ROOTS``, regenerate the lock and review its diff::

    python -m fraudstream.runtime.jars
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from filelock import FileLock

from fraudstream.errors import Note, RuntimeMissingError, SettingsError
from fraudstream.runtime.java import java

LOCK_FILE = Path(__file__).with_name("jars.lock")
DOWNLOAD_LIMIT_S = 900
# what a folder's name must not have: it separates the parts of a class path, and Ivy takes it for a slash
UNUSABLE = {os.pathsep, "/\\".replace(os.sep, "")}


@dataclass(frozen=True)
class Root:
    """What a set is asked for by name; ``transitive`` brings its runtime dependencies along."""

    coordinates: str
    transitive: bool = False


# pyspark brings what else the connector needs (lz4, snappy, zstd, slf4j, Hadoop); one version of Spark in both
ROOTS = {
    "spark": [
        Root("org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0"),
        Root("org.apache.spark:spark-token-provider-kafka-0-10_2.13:4.2.0"),
        Root("org.apache.kafka:kafka-clients:3.9.2"),
        Root("org.apache.commons:commons-pool2:2.13.1"),
        # files without a chmod and several readlink processes each: pyspark has no native Hadoop library
        Root("com.globalmentor:hadoop-bare-naked-local-fs:0.1.0"),
    ],
    "broker": [
        Root("org.apache.kafka:kafka_2.13:4.3.1", transitive=True),
        # Kafka logs through slf4j 1.7; its own log4j-core 2.25.4 writes the file
        Root("org.apache.logging.log4j:log4j-slf4j-impl:2.25.4", transitive=True),
    ],
}


@dataclass(frozen=True)
class Jar:
    """One line of the lock: coordinates ``organisation:module:version``, size in bytes, SHA-256 in hexadecimal."""

    coordinates: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        _, module, version = self.coordinates.split(":")
        return f"{module}-{version}.jar"


def jars(set_name: str, folder: Path, note: Note = print, repository: str = "") -> list[Path]:
    """The jars of a set in ``folder``, ready on disk; downloaded and verified first where they are missing.

    Safe to call from several processes at once. Later calls only look for every name and size: no Java, no network.
    The repository is Ivy's own default, the public Maven one; another can be given by its address.
    Raises RuntimeMissingError when Java is missing, the download fails, or a checksum does not fit; SettingsError for a
    folder that Java cannot have on its class path.
    """
    unusable = sorted(UNUSABLE.intersection(str(folder)))
    if unusable:
        raise SettingsError(
            f"FRAUDSTREAM_JARS_DIR={folder}: Java cannot use jars in a folder whose name contains "
            f"{' '.join(unusable)}. Choose another folder."
        )
    pinned = locked(set_name)
    target = folder / set_name
    if not _complete(target, pinned):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{set_name}.lock"):
            if not _complete(target, pinned):
                _download(pinned, target, note, repository)
    return [target / jar.file_name for jar in pinned]


def locked(set_name: str) -> list[Jar]:
    """The lines of a set in ``jars.lock``, in class path order."""
    lines = [line.split() for line in LOCK_FILE.read_text().splitlines() if line and not line.startswith("#")]
    return [Jar(coordinates, int(size), sha256) for name, sha256, size, coordinates in lines if name == set_name]


def _complete(target: Path, pinned: list[Jar]) -> bool:
    paths = [(target / jar.file_name, jar.size) for jar in pinned]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def _download(pinned: list[Jar], target: Path, note: Note, repository: str) -> None:
    """Fills target by one rename; what an interrupted download has already fetched is used by the next."""
    part = target.with_name(f".{target.name}.part")
    megabytes = sum(jar.size for jar in pinned) / 1e6
    note(f"Downloading {len(pinned)} jars ({megabytes:.0f} MB, only once) to {target} ...")
    began = monotonic()
    wanted = [Root(jar.coordinates) for jar in pinned]
    smallest = min(pinned, key=lambda jar: jar.size)
    # the smallest first: where nothing can be reached, one time-out tells, not one for each jar
    for roots in ([Root(smallest.coordinates)], wanted):
        _ivy(roots, part, "files/[artifact]-[revision].[ext]", repository)
    try:
        verify(part / "files", pinned)
    except RuntimeMissingError:
        shutil.rmtree(part)
        raise
    shutil.rmtree(target, ignore_errors=True)
    (part / "files").rename(target)
    shutil.rmtree(part)
    note(f"Downloaded and verified in {monotonic() - began:.0f} s.")


def verify(folder: Path, pinned: list[Jar]) -> None:
    """Raises RuntimeMissingError naming the first jar that is missing or whose content is not the pinned one."""
    for jar in pinned:
        path = folder / jar.file_name
        if not path.is_file():
            raise RuntimeMissingError(f"{jar.file_name} was not delivered with the others. Start again.")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != jar.sha256:
            raise RuntimeMissingError(
                f"{jar.file_name}: SHA-256 {found} instead of the pinned {jar.sha256}, so it is not used. Start again; "
                "if it stays, something between here and the repository (a proxy?) changes files."
            )


def _ivy(roots: list[Root], work: Path, pattern: str, repository: str = "") -> None:
    """Resolves roots and copies their jars to pattern below work."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "ivysettings.xml").write_text(_ivy_settings(repository, poms=any(root.transitive for root in roots)))
    (work / "ivy.xml").write_text(_ivy_module(roots))
    home = f"-Divy.default.ivy.user.dir={work.resolve() / 'ivy'}"  # its cache too, in place of ~/.ivy2
    command = [
        java(),
        home,
        "-jar",
        _ivy_jar(),
        "-settings",
        "ivysettings.xml",
        "-ivy",
        "ivy.xml",
        "-retrieve",
        pattern,
    ]
    try:
        run = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=DOWNLOAD_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise _unreachable(f"not finished after {DOWNLOAD_LIMIT_S} s") from error
    if run.returncode != 0:
        said = run.stdout + run.stderr
        cause = re.search(r"java[\w.]+Exception: [^\n)]*", said) or re.search(r"\S+: not found", said)
        raise _unreachable(cause.group() if cause else f"Ivy ended with exit code {run.returncode}")


def _unreachable(cause: str) -> RuntimeMissingError:
    return RuntimeMissingError(
        f"The jars of Kafka and of Spark's connector could not be downloaded ({cause}). The first start needs the "
        "network, later ones do not: connect and start again. Behind a proxy, set "
        "JAVA_TOOL_OPTIONS='-Dhttps.proxyHost=<host> -Dhttps.proxyPort=<port>'."
    )


def _ivy_settings(repository: str, poms: bool) -> str:
    root = f'root="{repository}" ' if repository else ""
    return f"""<ivysettings>
  <settings defaultResolver="repository"/>
  <timeout-constraints>
    <timeout-constraint name="patience" connectionTimeout="5000" readTimeout="30000"/>
  </timeout-constraints>
  <resolvers>
    <ibiblio name="repository" {root}m2compatible="true" usepoms="{str(poms).lower()}" timeoutConstraint="patience"/>
  </resolvers>
</ivysettings>"""


def _ivy_module(roots: list[Root]) -> str:
    lines = []
    for root in roots:
        organisation, module, version = root.coordinates.split(":")
        scope = 'conf="default->default(runtime)"' if root.transitive else 'transitive="false"'
        lines.append(f'    <dependency org="{organisation}" name="{module}" rev="{version}" {scope}/>')
    return "\n".join(
        [
            '<ivy-module version="2.0">',
            '  <info organisation="fraudstream" module="jars"/>',
            '  <configurations><conf name="default"/></configurations>',
            "  <dependencies>",
            *lines,
            "  </dependencies>",
            "</ivy-module>",
        ]
    )


def _ivy_jar() -> Path:
    """The Ivy jar in pyspark's folder, located without importing pyspark."""
    spec = importlib.util.find_spec("pyspark")
    found = sorted(Path(spec.origin).parent.glob("jars/ivy-*.jar")) if spec and spec.origin else []
    if not found:
        raise RuntimeMissingError("pyspark with its Ivy is not installed here: pip install -r requirements.txt.")
    return found[-1]


def write_lock() -> None:
    """Resolves ROOTS with their dependencies and writes the lock of both sets."""
    lines = ["# set, SHA-256, size in bytes, coordinates. Written by: python -m fraudstream.runtime.jars"]
    for set_name, roots in ROOTS.items():
        with tempfile.TemporaryDirectory() as folder:
            _ivy(roots, Path(folder), "files/[organisation]/[module]/[revision]/jar.[ext]")
            for path in sorted(Path(folder, "files").glob("*/*/*/jar.jar")):
                sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
                coordinates = ":".join(path.parts[-4:-1])
                lines.append(f"{set_name} {sha256} {path.stat().st_size} {coordinates}")
    LOCK_FILE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(write_lock())
