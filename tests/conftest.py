"""Shared fixtures: real engines, started once per run and stopped by their own process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fault_rows
import pytest
from filelock import FileLock
from pyspark import SparkConf
from pyspark.sql import SparkSession

from fraudstream.data.generate import generate
from fraudstream.kafka import broker as embedded
from fraudstream.kafka.client import client_options, recreate_topics
from fraudstream.runtime.spark import STREAM_OPTIONS, engine_options
from fraudstream.settings import PROJECT, Settings, load_settings

# Spark's Java machines live for seconds here: a quick compiler takes a third less processor time than a good one
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1")

# Files of tests that take long come first, so that the two test processes end together; the first needs no model and
# leaves its training to the second
LONG = ("notebooks_1_3", "soak", "browser", "stream", "cluster", "run", "own_model")

TRAIN_SMALL = """
from fraudstream.model.train import fit
from fraudstream.settings import load_settings

fit.CHOSEN["random_forest"].update(numTrees=2, maxDepth=2, weighted=True)
fit.CHOSEN["gradient_boosted_trees"].update(maxIter=4, maxDepth=3, weighted=True)
fit.train(load_settings())
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """LONG first, in its order; all others in theirs."""
    order = {f"test_{name}": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONG)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """`make test-faults` ends with the table of what bad input and broken parts lead to."""
    if config.getoption("markexpr") != "faults":
        return
    outcomes = {}
    for outcome in ("passed", "skipped", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            test = report.nodeid.removeprefix("tests/")
            figure = outcomes.get(test, ("", ""))[1] or str(dict(report.user_properties).get("figure", ""))
            outcomes[test] = outcome, figure
    for line in fault_rows.table(outcomes):
        terminalreporter.write_line(line)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with an output folder of their own and nothing taken from the environment."""
    for name in Settings.environment_names().values():
        monkeypatch.delenv(name, raising=False)
    return load_settings(output_dir=tmp_path / "output")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real broker with its own folder and without topics."""
    own = load_settings(output_dir=tmp_path_factory.mktemp("kafka"), bootstrap_servers="")
    try:
        yield embedded.start(own)
    finally:
        embedded.stop(own)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The one Spark of the tests' own process, set up like the stream's, in Melbourne's time zone."""
    own = load_settings(output_dir=tmp_path_factory.mktemp("spark"), spark_master="local[2]")
    conf = SparkConf().setMaster(own.spark_master).setAppName("tests").setAll(engine_options(own, STREAM_OPTIONS))
    conf.set("spark.sql.session.timeZone", "Australia/Melbourne").set("spark.driver.memory", "1g")
    session = SparkSession.builder.config(conf=conf).getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def shop_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files of a generated shop of a thirtieth of the default size: 3,000 new browsing rows. Not to be changed."""
    folder = tmp_path_factory.mktemp("shop")
    generate(folder, scale=0.03, seed=8, progress=False)  # frauds all through the past
    return folder


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory, worker_id: str, shop_dir: Path) -> Path:
    """What `train` leaves of the generated shop: my_ML_model.zip, metrics and plots. Not to be changed.

    The first test process that needs it trains; the others wait for it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "model"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            unfinished = tmp_path_factory.mktemp("unfinished")
            train_small(shop_dir, unfinished, tmp_path_factory.mktemp("training"))
            unfinished.rename(folder)
    return folder


def train_small(data_dir: Path, model_dir: Path, output_dir: Path) -> None:
    """Trains fewer and smaller trees than the real training, in its own process: training stops a running Spark.

    Both have class weights, so that either flags transactions.
    """
    names = {
        "FRAUDSTREAM_DATA_DIR": data_dir,
        "FRAUDSTREAM_MODEL": model_dir / "my_ML_model.zip",
        "FRAUDSTREAM_OUTPUT_DIR": output_dir,
        "SPARK_MASTER": "local[2]",
    }
    environment = os.environ | {name: str(value) for name, value in names.items()}
    command = [sys.executable, "-c", TRAIN_SMALL]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""  # Java's warnings are in a log


@pytest.fixture
def ours(settings):
    """Settings of a running broker with empty topics."""
    embedded.start(settings)
    try:
        recreate_topics(client_options(settings))
        yield settings
    finally:
        embedded.stop(settings)


@pytest.fixture
def other(tmp_path):
    """Settings of another project, whose broker is not running yet."""
    settings = load_settings(output_dir=tmp_path / "other", bootstrap_servers="")
    try:
        yield settings
    finally:
        embedded.stop(settings)
