"""The command line: whole messages, exit codes, and nothing half written."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from zips import small_model

from fraudstream.errors import command
from fraudstream.kafka import broker as embedded
from fraudstream.runtime.java import REMEDY
from fraudstream.schemas import FILES
from fraudstream.settings import PROJECT, Settings, load_settings


def fraudstream(*arguments, **environment):
    """Runs the real command with only the given settings in its environment."""
    inherited = {k: v for k, v in os.environ.items() if k not in {*Settings.environment_names().values(), "JAVA_HOME"}}
    command = [sys.executable, "-m", "fraudstream", *arguments]
    return subprocess.run(
        command, cwd=PROJECT, env=inherited | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


# a value of each type, and of the columns that take no other text
ORDINARY = {
    "string": "x",
    "int": "1",
    "double": "1",
    "boolean": "True",
    "date": "2020-01-01",
    "timestamp": "2024-01-01 00:00:00",
    "event_type": "CO",
    "payment_status": "Success",
    "product_metadata": "[]",
}


@dataclass
class Shop:
    """A data folder, a model and an output folder of an earlier run; everything is there."""

    data: Path
    model: Path
    output: Path

    def refuses(self, *arguments, **environment):
        """The command's standard error, after exit code 1 and an unchanged output folder."""
        folders = {
            "FRAUDSTREAM_DATA_DIR": str(self.data),
            "FRAUDSTREAM_MODEL": str(self.model),
            "FRAUDSTREAM_OUTPUT_DIR": str(self.output),
        }
        before = self.results()
        ended = fraudstream(*arguments, **(folders | environment))
        assert (ended.returncode, self.results()) == (1, before)
        return ended.stderr

    def results(self):
        """Everything in the output folder but the lock."""
        return sorted(path for path in self.output.rglob("*") if path.suffix != ".lock")


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path / "data", tmp_path / "my_ML_model.zip", tmp_path / "output")
    (shop.output / "predictions" / "batch_id=0").mkdir(parents=True)
    shop.data.mkdir()
    for name, columns in FILES.items():
        values = [ORDINARY.get(column, ORDINARY[type_]) for column, type_ in columns.items()]
        (shop.data / name).write_text(",".join(columns) + "\n" + ",".join(values) + "\n")
    small_model(shop.model)
    return shop


@pytest.mark.parametrize("group", [(), ("broker",)])
def test_without_a_command_the_help_is_shown(group):
    shown, asked_for = fraudstream(*group), fraudstream(*group, "--help")
    assert (shown.returncode, shown.stdout) == (0, asked_for.stdout)
    assert "Commands:" in shown.stdout


def test_a_bad_setting_is_named(shop):
    expected = "SettingsError: FRAUDSTREAM_INTERVAL_S='0': Input should be greater than 0.\n"
    assert shop.refuses("run", FRAUDSTREAM_INTERVAL_S="0") == expected


def test_a_bad_option_is_named_as_the_option(shop):
    expected = "SettingsError: --batches 0: Input should be greater than or equal to 1.\n"
    assert shop.refuses("run", "--batches", "0", FRAUDSTREAM_BATCHES="3") == expected


def test_a_mistyped_setting_is_refused_with_the_one_that_was_meant(shop):
    expected = "SettingsError: FRAUDSTREAM_BATCH: no setting has this name. Did you mean FRAUDSTREAM_BATCHES?\n"
    assert shop.refuses("run", FRAUDSTREAM_BATCH="3") == expected


@pytest.mark.parametrize("master", ["foo", "local[x]", "spark:host"])
def test_a_spark_master_that_is_none_is_refused(shop, master):
    assert shop.refuses("run", SPARK_MASTER=master) == (
        f"SettingsError: SPARK_MASTER={master!r}: Value error, not an address of Spark: local[4], spark://host:7077, "
        "yarn or k8s://https://host:port.\n"
    )


@pytest.mark.parametrize("command", ["run", "train", "check", "train --data-dir {}", "check --data-dir {}"])
def test_a_data_folder_that_is_not_there_is_the_same_line_in_all_commands(shop, command):
    folder = shop.data / "nope"
    ended = shop.refuses(*command.format(folder).split(), FRAUDSTREAM_DATA_DIR=str(folder))
    assert ended == (
        f"DataError: {folder}: no such folder. Set FRAUDSTREAM_DATA_DIR or --data-dir to the folder of your files.\n"
    )


@pytest.mark.parametrize("command", ["generate --data-dir {}", "train --model-dir {}", "run", "reset", "broker start"])
def test_a_folder_that_cannot_be_written_is_one_line(shop, command):
    (shop.data / "file").touch()
    below = shop.data / "file" / "folder"
    said = shop.refuses(*command.format(below).split(), FRAUDSTREAM_OUTPUT_DIR=str(below))
    assert said.startswith(f"OutputError: {below}")
    assert "cannot be written" in said
    assert "a part of the path is a file" in said
    assert said.count("\n") == 1


def test_a_missing_file_of_the_past_is_named(shop):
    (shop.data / "browsing_behaviour.csv").unlink()
    assert shop.refuses("train") == (
        f"DataError: browsing_behaviour.csv: not found in {shop.data}. "
        "Put it there, or set FRAUDSTREAM_DATA_DIR to its folder.\n"
    )


def test_missing_files_of_the_stream_are_named(shop):
    for name in ("new_browsing_behaviour.csv", "new_transaction.csv"):
        (shop.data / name).unlink()
    assert shop.refuses("run") == (
        f"DataError: new_browsing_behaviour.csv, new_transaction.csv: not found in {shop.data}. Put the files there, "
        "set FRAUDSTREAM_DATA_DIR to their folder, or make data with: python -m fraudstream generate\n"
    )


@pytest.mark.parametrize(("command", "file"), [("train", "transactions.csv"), ("run", "new_transaction.csv")])
def test_a_renamed_column_is_named(shop, command, file):
    path = shop.data / file
    path.write_text(path.read_text().replace("created_at", "createdAt"))
    found = ", ".join(["createdAt", *list(FILES[file])[1:]])
    expected = f"DataError: {file}: no column created_at (found: {found}). Rename it, or see data/README.md.\n"
    assert shop.refuses(command) == expected


def test_a_file_without_rows_is_named(shop):
    (shop.data / "customer.csv").write_text(",".join(FILES["customer.csv"]) + "\n")
    expected = f"DataError: customer.csv: has a header but no rows. Put the complete file in {shop.data}.\n"
    assert shop.refuses("run") == expected


def test_a_missing_model_is_named(shop):
    shop.model.unlink()
    assert shop.refuses("run") == (
        f"ModelError: {shop.model}: no such model. Train one ({command('train')}) or set FRAUDSTREAM_MODEL.\n"
    )


def test_a_model_that_is_no_zip_is_named(shop):
    shop.model.write_text("no zip")
    assert shop.refuses("run") == (
        f"ModelError: {shop.model}: not a zip file. Zip the folder my_ML_model that PipelineModel.save wrote.\n"
    )


def test_a_kafka_that_does_not_answer_is_named(shop):
    assert shop.refuses("run", "--wait", "1", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1") == (
        "BrokerError: KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1: no answer from Kafka within 1 s. Start it, correct the "
        "address (or KAFKA_SECURITY_PROTOCOL, if it uses encryption), or leave the setting empty for the embedded "
        "broker.\n"
    )


@pytest.mark.parametrize("command", ["run", "train", "broker start"])
def test_without_java_one_line_says_what_to_install(shop, command):
    expected = f"RuntimeMissingError: Java is missing: JAVA_HOME is not set, and PATH has no java. {REMEDY}\n"
    assert shop.refuses(*command.split(), PATH="/nowhere") == expected


@pytest.mark.parametrize("ran_before", [False, True])
def test_a_command_leaves_the_broker_as_it_found_it(shop, ran_before):
    own = load_settings(output_dir=shop.output, bootstrap_servers="")
    try:
        if ran_before:
            embedded.start(own)
        ended = fraudstream("reset", FRAUDSTREAM_OUTPUT_DIR=str(shop.output))
        assert (ended.returncode, embedded.status(own).running) == (0, ran_before)
    finally:
        embedded.stop(own)
