"""Jars: downloaded once and verified, by the real Ivy from a Maven repository of the test's own."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest

from fraudstream.errors import RuntimeMissingError, SettingsError
from fraudstream.runtime.jars import ROOTS, jars, locked
from fraudstream.settings import PROJECT


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nothing: a test's output is its failures."""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The connector's jars, laid out as a Maven repository."""
    folder = tmp_path / "repository"
    for path, jar in zip(jars("spark", PROJECT / ".cache" / "jars"), locked("spark"), strict=True):
        organisation, module, jar_version = jar.coordinates.split(":")
        place = folder.joinpath(*organisation.split("."), module, jar_version)
        place.mkdir(parents=True)
        shutil.copy(path, place)
    return folder


@pytest.fixture
def address(repository: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(repository))) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_set_is_downloaded_once_and_then_needs_neither_java_nor_network(tmp_path, address, monkeypatch):
    notes: list[str] = []
    first = jars("spark", tmp_path / "jars", notes.append, address)
    monkeypatch.setenv("PATH", "")
    again = jars("spark", tmp_path / "jars", notes.append, "http://127.0.0.1:1/")
    assert again == first and all(path.is_file() for path in first)
    assert len(notes) == 2 and notes[0].startswith("Downloading 5 jars (10 MB, only once)")
    assert names(tmp_path / "jars") == ["spark", "spark.lock"]


@pytest.mark.parametrize(
    "name",
    ["My Büro", "[S2] jars", "a#b 100%20", "a,b", "{a}", "a*b", "a?b", "${x} $HOME", "it's", 'a"b', "(a)"],
)
def test_a_set_is_downloaded_to_a_folder_of_any_name(tmp_path, address, name):
    paths = jars("spark", tmp_path / name, lambda note: None, address)
    assert [path.is_file() for path in paths] == [True] * 5
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "repository"])


@pytest.mark.parametrize("sign", [":", "\\"])
def test_a_folder_that_java_cannot_take_is_refused(tmp_path, sign):
    with pytest.raises(SettingsError) as caught:
        jars("spark", tmp_path / f"a{sign}b")
    assert str(caught.value) == (
        f"FRAUDSTREAM_JARS_DIR={tmp_path}/a{sign}b: Java cannot use jars in a folder whose name contains {sign}. "
        "Choose another folder."
    )


def test_three_processes_at_once_download_one_time(tmp_path, address):
    code = "import sys; from fraudstream.runtime.jars import *; jars('spark', Path(sys.argv[1]), print, sys.argv[2])"
    command = [sys.executable, "-c", code, str(tmp_path / "jars"), address]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [start.communicate()[0] for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0]
    assert sum(text.count("Downloading") for text in said) == 1


def test_a_changed_jar_is_refused_by_name_and_nothing_is_kept(tmp_path, address, repository):
    changed = next(repository.rglob("commons-pool2-*.jar"))
    changed.write_bytes(changed.read_bytes()[:-1] + b"!")
    with pytest.raises(RuntimeMissingError, match=r"^commons-pool2-2.13.1.jar: SHA-256 \w{64} instead of the pinned"):
        jars("spark", tmp_path / "jars", print, address)
    assert names(tmp_path / "jars") == ["spark.lock"]


def test_a_jar_that_was_removed_later_is_fetched_again(tmp_path, address):
    first = jars("spark", tmp_path / "jars", print, address)
    first[0].unlink()
    assert jars("spark", tmp_path / "jars", print, address)[0].is_file()


def test_no_network_at_the_first_start_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=1")
    with pytest.raises(RuntimeMissingError) as error:
        jars("spark", tmp_path, print)
    assert str(error.value) == (
        "The jars of Kafka and of Spark's connector could not be downloaded (java.net.ConnectException: Connection "
        "refused). The first start needs the network, later ones do not: connect and start again. Behind a proxy, "
        "set JAVA_TOOL_OPTIONS='-Dhttps.proxyHost=<host> -Dhttps.proxyPort=<port>'."
    )


def test_the_lock_has_every_root_and_the_installed_version_of_spark():
    for set_name, roots in ROOTS.items():
        assert {root.coordinates for root in roots} <= {jar.coordinates for jar in locked(set_name)}
    assert f"org.apache.spark:spark-sql-kafka-0-10_2.13:{version('pyspark')}" in {
        jar.coordinates for jar in locked("spark")
    }
