"""Paths: local folders as Spark must be given them, and folders on any file system that Hadoop knows, named by a URI.

Every path that is handed to Spark goes through ``hadoop_path`` (to write, and where Spark takes one name) or
``hadoop_glob`` (to read, where Spark takes a pattern).

``HadoopPath`` has those methods of ``pathlib.Path`` that the stream needs, so code that takes a folder takes either.
They go through Hadoop's FileSystem API in Java: that of the process's Spark or, where none was started (the command
line only looks at files), a small one of its own. Both have the settings of Spark's and Hadoop's own files
(SPARK_CONF_DIR, HADOOP_CONF_DIR): a site's address, credentials and jars are set there and not here.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fraudstream.errors import OutputError, RuntimeMissingError
from fraudstream.storage.spark_environment import use_own_spark

if TYPE_CHECKING:
    from py4j.java_gateway import JavaGateway

# bytes pass to and from Java in pieces of this size, as text
PIECE = 8 * 2**20
REMEDY = (
    "Correct FRAUDSTREAM_STORAGE (empty: the output folder), or its configuration: core-site.xml in "
    "HADOOP_CONF_DIR, spark-defaults.conf in SPARK_CONF_DIR."
)


def valid_uri(value: str) -> str:
    """``value`` without a slash at its end; raises ValueError if it is no URI of a Hadoop file system, nor empty."""
    if value and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", value):
        raise ValueError("no URI of a Hadoop file system, such as hdfs://namenode:8020/shop or s3a://bucket/shop")
    return value.rstrip("/")


class Stat(NamedTuple):
    """A file's state: when it was written, in Unix seconds by its storage's clock."""

    st_mtime: float


@dataclass(frozen=True)
class HadoopPath:
    """A file or folder on a Hadoop file system. ``uri`` has a scheme and no slash at its end.

    Every method works like pathlib's. Raises OutputError with one line if the storage cannot be used.
    """

    uri: str

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> "HadoopPath":
        return HadoopPath(f"{self.uri}/{name}")

    @property
    def name(self) -> str:
        return self.uri.rpartition("/")[2]

    @property
    def parent(self) -> "HadoopPath":
        return HadoopPath(self.uri.rpartition("/")[0])

    def exists(self) -> bool:
        with self._hadoop() as (files, path):
            return files.exists(path)

    def glob(self, pattern: str) -> Iterator["HadoopPath"]:
        """The direct children whose names match; none if the folder does not exist."""
        try:
            with self._hadoop() as (files, path):
                names = [status.getPath().getName() for status in files.listStatus(path)]
        except FileNotFoundError:
            return
        yield from (self / name for name in names if fnmatchcase(name, pattern))

    def stat(self) -> Stat:
        with self._hadoop() as (files, path):
            return Stat(files.getFileStatus(path).getModificationTime() / 1000)

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Always creates the parents: an object store has no folders that could be missing."""
        with self._hadoop() as (files, path):
            if not exist_ok and files.exists(path):
                raise FileExistsError(self.uri)
            files.mkdirs(path)

    def rename(self, target: "HadoopPath") -> None:
        """Raises FileExistsError if ``target`` exists: Hadoop would move into it, or silently keep it."""
        with self._hadoop() as (files, path), target._hadoop() as (_, path_of_target):
            if files.exists(path_of_target):
                raise FileExistsError(target.uri)
            if not files.rename(path, path_of_target):
                raise OutputError(f"{self} could not be renamed to {target}. {REMEDY}")

    def unlink(self) -> None:
        with self._hadoop() as (files, path):
            files.delete(path, False)

    def rmdir(self) -> None:
        """Deletes an empty folder."""
        with self._hadoop() as (files, path):
            files.delete(path, False)

    def read_bytes(self) -> bytes:
        with self._hadoop() as (files, path):
            stream = files.open(path)
            try:
                return b"".join(iter(lambda: stream.readNBytes(PIECE), b""))
            finally:
                stream.close()

    def write_bytes(self, data: Any) -> None:
        view = memoryview(data)
        with self._hadoop() as (files, path):
            stream = files.create(path, True)
            try:
                for begin in range(0, len(view), PIECE):
                    stream.write(bytes(view[begin : begin + PIECE]))
            finally:
                stream.close()

    def read_text(self) -> str:
        return self.read_bytes().decode()

    def write_text(self, text: str) -> None:
        self.write_bytes(text.encode())

    @contextmanager
    def _hadoop(self) -> Iterator[tuple[Any, Any]]:
        """Java's FileSystem and Path; Java exceptions become FileNotFoundError or OutputError."""
        from py4j.protocol import Py4JJavaError

        gateway = _gateway()
        try:
            path = gateway.jvm.org.apache.hadoop.fs.Path(self.uri)
            yield path.getFileSystem(_configuration(gateway)), path
        except Py4JJavaError as error:
            said = str(error.java_exception.toString()).splitlines()[0]
            if said.startswith("java.io.FileNotFoundException"):
                raise FileNotFoundError(self.uri) from error
            raise OutputError(f"{self} cannot be used: {said.rstrip('.')}. {REMEDY}") from error


AnyPath = Path | HadoopPath

_GLOB_SIGNS = str.maketrans({sign: f"\\{sign}" for sign in "\\{}[]*?"})


def hadoop_path(path: AnyPath) -> str:
    """``path`` as Spark takes it where it expects one file or folder: to write, and for checkpoints.

    Not ``Path.as_uri()``: Hadoop takes its escapes literally (``%20`` would be part of the name). The scheme is there
    because a site's core-site.xml may name another file system as the default.
    """
    return str(path) if isinstance(path, HadoopPath) else f"file://{path.absolute()}"


def hadoop_glob(path: AnyPath) -> str:
    """``path`` as Spark takes it where it expects a pattern: to read (CSV, parquet, a saved model)."""
    return hadoop_path(path).translate(_GLOB_SIGNS)


def _gateway() -> "JavaGateway":
    from pyspark import SparkContext

    return SparkContext._gateway or _own_gateway()


@lru_cache
def _own_gateway() -> "JavaGateway":
    """A Java process without Spark, started once; it ends with this process."""
    from pyspark import SparkConf
    from pyspark.errors import PySparkRuntimeError
    from pyspark.java_gateway import launch_gateway

    use_own_spark()
    with tempfile.TemporaryFile() as log:
        try:
            return launch_gateway(SparkConf(False).set("spark.driver.memory", "512m"), {"stderr": log})
        except PySparkRuntimeError as error:
            log.seek(0)
            lines = [line for line in log.read().decode(errors="replace").splitlines() if line[:1].strip()]
            raise RuntimeMissingError(
                f"Java for FRAUDSTREAM_STORAGE does not start: {''.join(lines[-1:])}. Check JAVA_HOME, and "
                "spark-defaults.conf in SPARK_CONF_DIR."
            ) from error


@lru_cache
def _configuration(gateway: "JavaGateway") -> Any:
    """Hadoop's configuration: core-site.xml, and spark.hadoop.* of Spark's."""
    spark = gateway.jvm.org.apache.spark
    return spark.deploy.SparkHadoopUtil.get().newConfiguration(spark.SparkConf())
