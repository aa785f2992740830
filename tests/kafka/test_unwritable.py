"""A folder that cannot be written, a disk that is full: one line from every command, and Task 1 continues exactly."""

import json
import os
import subprocess
import sys
from contextlib import closing

import pytest
from stream_files import records

from fraudstream.errors import BrokerError, OutputError
from fraudstream.kafka import broker as embedded
from fraudstream.kafka.client import client_options, ensure_topics
from fraudstream.producer.sender import REQUEST_TIMEOUT_MS, SOCKET_OPTIONS, Sender
from fraudstream.schemas import BROWSING_TOPIC
from fraudstream.settings import PROJECT, Settings, load_settings

# isort: split
from kafka3 import KafkaProducer


def fraudstream(output, *arguments):
    inherited = {name: value for name, value in os.environ.items() if name not in Settings.environment_names().values()}
    environment = inherited | {"FRAUDSTREAM_OUTPUT_DIR": str(output)}
    command = [sys.executable, "-m", "fraudstream", *arguments]
    pipes = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    return subprocess.run(command, cwd=PROJECT, env=environment, timeout=60, **pipes)


@pytest.mark.parametrize("command", ["reset", "lab", "broker start"])
def test_an_output_folder_below_a_file_is_one_line(tmp_path, command):
    (tmp_path / "file").write_text("")
    ended = fraudstream(tmp_path / "file" / "output", *command.split())
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith(f"OutputError: {tmp_path}/file/output")
    assert ended.stderr.endswith(
        " cannot be written: a part of the path is a file. Fix its permissions, or choose another folder "
        "(FRAUDSTREAM_OUTPUT_DIR for results).\n"
    )


@pytest.mark.parametrize("command", ["broker status", "broker stop"])
def test_commands_that_write_nothing_need_no_folder(tmp_path, command):
    (tmp_path / "file").write_text("")
    assert fraudstream(tmp_path / "file" / "output", *command.split()).returncode == 0


@pytest.fixture
def disk(tmp_path):
    """A function that makes, or resizes, a file system of so many megabytes, and returns its folder."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def make(megabytes):
        options = f"size={megabytes}m" if os.path.ismount(folder) is False else f"remount,size={megabytes}m"
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
        if mounted.returncode:
            pytest.skip("mounting a small file system needs root")
        return folder

    yield make
    if os.path.ismount(folder):
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    with pytest.raises(OSError, match="No space left"), (folder / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


def test_a_full_disk_is_one_line_at_the_start(disk):
    folder = disk(1)
    fill(folder)
    with pytest.raises(OutputError, match=r"cannot be written: the disk is full\. Free some space, or choose"):
        embedded.start(load_settings(output_dir=folder / "output", bootstrap_servers=""))


def test_a_disk_that_fills_while_task_1_sends_is_one_line_and_after_making_space_it_continues_exactly(disk):
    settings = load_settings(output_dir=disk(60) / "output", bootstrap_servers="")
    embedded.start(settings)
    try:
        client = client_options(settings)
        ensure_topics(client)
        sent = 0
        with pytest.raises(BrokerError) as caught, closing(connected(client)) as sender:
            for sent in range(400):
                sender.send(BROWSING_TOPIC, [{"number": sent, "filler": "x" * 500_000}], 1000)
        print(caught.value)
        assert 5 < sent < 400
        assert "\n" not in str(caught.value)
        assert "disk" in str(caught.value) or "No space left" in str(caught.value)
        disk(300)
        embedded.start(settings)
        client = client_options(settings)
        with closing(connected(client)) as sender:
            for number in range(sender.message_count(BROWSING_TOPIC), sent + 5):
                sender.send(BROWSING_TOPIC, [{"number": number}], 1000)
        (address,) = client["bootstrap_servers"]
        numbers = [json.loads(record.value)[0]["number"] for record in records(address, BROWSING_TOPIC)]
        assert numbers == list(range(sent + 5))
    finally:
        embedded.stop(settings)


def connected(client):
    options = {"request_timeout_ms": REQUEST_TIMEOUT_MS, "socket_options": SOCKET_OPTIONS, "max_block_ms": 5000}
    return Sender(KafkaProducer(**client, acks="all", max_in_flight_requests_per_connection=1, **options), client, 60)
