"""docker-compose.yml and the image: their content, and, with `make test-compose`, a real `docker compose up`.

The real one needs a Docker engine and some minutes: FRAUDSTREAM_TEST_COMPOSE=1. It starts the
clone of another user twice, then the cluster, which loses a broker and a worker.
"""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import grimp
import pandas as pd
import pyarrow.dataset as ds
import pytest
import yaml

from fraudstream.runtime.jars import ROOTS
from fraudstream.settings import PROJECT, Settings

COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
DEFAULTS = [name for name, service in SERVICES.items() if service["image"] == "fraudstream"]
NAME = "fraudstream-test"
USER = 1234  # neither root nor the image's own user

services = pytest.mark.parametrize("name", SERVICES)


def test_up_starts_kafka_and_the_run_and_profiles_add_the_others():
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    assert {name for name, asked in profiles.items() if not asked} == {"kafka", "run"}
    assert [name for name, asked in profiles.items() if asked == ["lab"]] == ["lab"]
    assert len([name for name, asked in profiles.items() if asked == ["cluster"]]) == 6


@services
def test_ports_are_published_on_this_machine_only(name):
    assert all(re.match(r"127\.0\.0\.1:", port) for port in SERVICES[name].get("ports", []))


@services
def test_no_service_runs_as_root_or_may_become_it(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["SETUID", "SETGID"] if name in DEFAULTS else [])
    assert not {"user", "privileged", "network_mode", "pid"} & service.keys()
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["fraudstream"]


def test_images_are_pinned_and_kafka_is_of_the_version_of_its_jars():
    (base,) = re.findall(r"^FROM (.*)$", DOCKERFILE, re.MULTILINE)
    assert base == "python:3.11-slim-bookworm"
    jars = next(root.coordinates for root in ROOTS["broker"] if ":kafka_2.13:" in root.coordinates)
    images = {service["image"] for name, service in SERVICES.items() if name not in DEFAULTS}
    assert images == {f"apache/kafka:{jars.split(':')[-1]}"}


def test_the_layer_of_jars_has_every_module_that_fetching_them_imports():
    copied = {name.replace("/", ".") for name in re.findall(r"(fraudstream/[\w/]+?)(?:/__init__)?\.py", DOCKERFILE)}
    jars = "fraudstream.runtime.jars"
    imported = grimp.build_graph("fraudstream").find_upstream_modules(jars)
    assert copied - {"fraudstream.runtime", "fraudstream.__init__"} == imported | {jars}


@services
def test_settings_in_the_environment_are_ones_that_the_code_knows(name):
    names = [name for name in SERVICES[name].get("environment", {}) if name.startswith("FRAUDSTREAM_")]
    assert set(names) <= set(Settings.environment_names().values())


def test_one_of_three_brokers_may_fail():
    for number in (1, 2, 3):
        settings = SERVICES[f"kafka-{number}"]["environment"]
        assert settings["KAFKA_DEFAULT_REPLICATION_FACTOR"] == "3"
        assert settings["KAFKA_MIN_INSYNC_REPLICAS"] == "2"


def test_example_of_env_names_what_compose_reads_and_holds_no_secret():
    example = dict(re.findall(r"^(\w+)=(.*)$", (PROJECT / ".env.example").read_text(), re.MULTILINE))
    read = set(re.findall(r"\$\{(\w+):-", (PROJECT / "docker-compose.yml").read_text()))
    assert set(example) == read
    assert example["JUPYTER_TOKEN"] == ""


def names_locked(name):
    return set(re.findall(r"^([\w.-]+)==", (PROJECT / name).read_text(), re.MULTILINE))


def test_the_image_has_what_the_user_installs_and_no_more():
    dockerfile = (PROJECT / "Dockerfile").read_text()
    assert re.findall(r"requirements[\w-]*\.(?:in|txt)", re.sub(r"^#.*", "", dockerfile, flags=re.MULTILINE)) == [
        "requirements.txt",
        "requirements.txt",
    ]


def test_what_the_image_installs_is_all_that_the_package_imports():
    needed, tests = names_locked("requirements.txt"), names_locked("requirements-tests.txt")
    assert "pytest" in tests - needed
    names = [name.replace("-", "_") for name in sorted(tests - needed)]
    sources = "\n".join(path.read_text() for path in (PROJECT / "fraudstream").rglob("*.py"))
    assert [name for name in names if re.search(rf"^\s*(import|from) {name}\b", sources, re.MULTILINE)] == []


for_real = pytest.mark.skipif(
    not os.environ.get("FRAUDSTREAM_TEST_COMPOSE"), reason="make test-compose runs it: it needs a Docker engine"
)


class Clone:
    """A fresh clone of the working tree's files that belongs to USER, and docker-compose in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=PROJECT,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in filter(lambda name: (PROJECT / name).exists(), files.stdout.splitlines()):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
        subprocess.run(["chown", "-R", f"{USER}:{USER}", str(folder)], check=True)
        for parent in folder.parents[:3]:
            parent.chmod(0o755)

    def compose(self, *arguments: str, **environment: str) -> subprocess.Popen:
        program = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        return subprocess.Popen(
            [*program, "--ansi", "never", "--project-name", NAME, *arguments],
            cwd=self.folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def up(self, *profile: str, batches: int) -> tuple[int, str]:
        """Exit code and log of a whole `up`."""
        ends = ("--abort-on-container-exit", "--exit-code-from", "run")
        running = self.compose(*profile, "up", "--build", *ends, FRAUDSTREAM_BATCHES=str(batches))
        log, _ = running.communicate(timeout=900)
        return running.returncode, log

    def predictions(self) -> pd.DataFrame:
        """The newest prediction of each transaction, without the columns that depend on the time of the run."""
        folder = self.folder / "output" / "predictions"
        table = ds.dataset(folder, format="parquet", partitioning="hive").to_table().to_pandas()
        newest = table.sort_values("batch_id").groupby("transaction_id").last()
        return newest.drop(columns=["ts", "event_time", "predicted_at", "batch_id"]).map(str)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    clone = Clone(tmp_path_factory.mktemp("compose") / "clone")
    yield clone
    clone.compose("--profile", "cluster", "--profile", "lab", "down").wait(120)


@pytest.fixture(scope="module")
def single(clone):
    """A single-machine run in a fresh clone: exit code, log, predictions."""
    code, log = clone.up(batches=20)
    return code, log, clone.predictions() if code == 0 else None


@for_real
@pytest.mark.timeout(1200)
def test_up_in_a_fresh_clone_leaves_right_results_that_belong_to_its_owner(clone, single):
    code, log, predictions = single
    assert code == 0, log
    summary = json.loads((clone.folder / "output" / "summary.json").read_text())
    assert (summary["batches"], summary["predicted"], summary["lost"]) == (20, len(predictions), 0)
    owners = {path.stat().st_uid for path in [clone.folder, *clone.folder.rglob("*")]}
    assert owners == {USER}


@for_real
def test_the_log_of_up_is_a_report(single):
    lines = [line.split("|", 1)[1].strip() for line in single[1].splitlines() if re.match(r"\S*run\S* +\|", line)]
    positions = [next(n for n, line in enumerate(lines) if re.match(start, line)) for start in REPORT]
    assert positions == sorted(positions)
    assert len([line for line in lines if re.match(r"Task 1: batch", line)]) == 20
    assert [line for line in lines if re.search("WARN|Traceback|ERROR", line)] == []


REPORT = ("category.csv", "Training on", "Saved ", "Kafka: ", "Task 1: batch +1 ", "Task 1: batch +20 ", "│ predicted")


@for_real
@pytest.mark.timeout(900)
def test_up_again_runs_again_and_gives_the_same(clone, single):
    code, log = clone.up(batches=20)
    assert code == 0, log
    pd.testing.assert_frame_equal(clone.predictions(), single[2])
    assert len(list((clone.folder / "output" / "earlier").iterdir())) == 1


def containers():
    """Name of the service -> id of its running container."""
    label = "com.docker.compose"
    shown = docker(
        "ps", "--filter", f"label={label}.project={NAME}", "--format", f'{{{{.Label "{label}.service"}}}} {{{{.ID}}}}'
    )
    return dict(line.split() for line in shown.splitlines())


def docker(*arguments):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def cluster(clone, single):
    """A run on the cluster that loses a broker and a worker in mid-run: exit code, predictions, containers that ran."""
    assert clone.compose("--profile", "cluster", "up", "-d", FRAUDSTREAM_BATCHES="20").wait(120) == 0
    began, commits = time.time(), clone.folder / "output" / "checkpoints" / "predictions" / "commits"
    while not any(path.stat().st_mtime > began for path in commits.glob("[0-9]*")):
        assert "run" in containers(), docker("logs", f"{NAME}_run_1")
        assert time.time() < began + 600
        time.sleep(0.2)
    running = containers()
    users = {service: set(docker("top", id_, "-eo", "pid,uid").split()[3::2]) for service, id_ in running.items()}
    docker("kill", running["kafka-2"], running["spark-worker-1"])
    code = int(docker("wait", running["run"]))
    return code, clone.predictions(), users


@for_real
@pytest.mark.timeout(1200)
def test_the_cluster_predicts_the_same_though_a_broker_and_a_worker_are_killed(cluster, single):
    code, predictions, _ = cluster
    assert code == 0
    pd.testing.assert_frame_equal(predictions, single[2])


@for_real
def test_nothing_runs_as_root(cluster):
    users = cluster[2]
    assert len(users) == 8
    assert {name: uids for name, uids in users.items() if uids != {"1000" if "kafka" in name else str(USER)}} == {}
