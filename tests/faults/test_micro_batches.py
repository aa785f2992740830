"""A micro-batch that is killed, fails, is stopped, or finds the disk full: with real Spark, nothing lost or doubled."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_stream import PER_FILE, POINTS, stored, write_numbers, writer

from fraudstream.kafka.probe import wait_for
from fraudstream.settings import PROJECT
from fraudstream.stream.progress import reason

pytestmark = pytest.mark.faults
PROGRAM = PROJECT / "tests" / "small_stream.py"


def numbers(files):
    return list(range(PER_FILE * files))


def run_program(folder, *killed):
    """Its exit code; the program and its Java have a process group of their own."""
    environment = os.environ | {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}"}
    command = [sys.executable, str(PROGRAM), str(folder), *map(str, killed)]
    with (folder / "program.log").open("a") as log:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        return subprocess.Popen(command, cwd=PROJECT, env=environment, start_new_session=True, **pipes).wait(120)


@pytest.fixture(scope="module")
def killed_thrice(tmp_path_factory):
    """The folder of a stream that was killed at each of POINTS, in three micro-batches, and then came to its end."""
    folder, codes, between = tmp_path_factory.mktemp("killed"), [], []
    write_numbers(folder, range(8))
    for number, point in enumerate(POINTS):
        codes.append(run_program(folder, point, 2 * number + 1))
        between.append(stored(folder))
    codes.append(run_program(folder))
    return folder, codes, between


def test_killed_at_the_worst_moments_the_stream_stores_each_number_once(killed_thrice, record_property):
    folder, codes, _ = killed_thrice
    record_property("figure", f"{len(codes) - 1} kills")
    assert codes == [-9, -9, -9, 0], (folder / "program.log").read_text()[-2000:]
    assert stored(folder) == numbers(8)


def test_each_kill_hit_the_micro_batch_that_it_was_meant_for(killed_thrice):
    """Batches 1 and 3 were not visible after their kills; batch 5 was: only its commit was missing."""
    _, _, between = killed_thrice
    assert [len(each) // PER_FILE for each in between] == [1, 3, 6]


def test_a_foreach_batch_that_raises_once_stops_the_query_and_runs_again(spark, tmp_path):
    raised = []

    def write(batch, batch_id, sink):
        if batch_id == 1 and not raised:
            raised.append(batch.count())
            raise OSError("a colleague has unplugged the disk")
        sink(batch, batch_id)

    write_numbers(tmp_path, range(4))
    query = writer(spark, tmp_path, write).trigger(availableNow=True).start()
    assert wait_for(lambda: not query.isActive, 60, lambda waited: None)
    assert "a colleague has unplugged the disk" in reason(query.exception())
    assert (raised, stored(tmp_path)) == ([PER_FILE], numbers(1))
    writer(spark, tmp_path, write).trigger(availableNow=True).start().awaitTermination()
    assert stored(tmp_path) == numbers(4)


def test_stopped_in_the_middle_of_a_batch_ten_times_there_is_no_error_and_nothing_missing(
    spark, tmp_path, record_property
):
    under_way = []

    def write(batch, batch_id, sink):
        under_way.append(batch_id)
        sink(batch, batch_id)
        time.sleep(0.3)

    write_numbers(tmp_path, range(30))
    for _ in range(10):
        before = len(under_way)
        query = writer(spark, tmp_path, write).start()
        assert wait_for(lambda before=before: len(under_way) > before + 1, 60, lambda waited: None)
        query.stop()
        assert query.exception() is None
    record_property("figure", f"10 stops in {len(under_way)} micro-batches")
    writer(spark, tmp_path).trigger(availableNow=True).start().awaitTermination()
    assert stored(tmp_path) == numbers(30)


@pytest.fixture
def disk(tmp_path):
    """A function that mounts a small file system on a folder, or resizes it to so many megabytes."""
    mounted = []

    def make(folder: Path, megabytes):
        folder.mkdir(parents=True, exist_ok=True)
        options = f"remount,size={megabytes}m" if os.path.ismount(folder) else f"size={megabytes}m"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a small file system needs root")
        mounted.append(folder)

    yield make
    for folder in {*mounted}:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    """Fills the disk to its last byte."""
    with pytest.raises(OSError, match="No space left"), (folder / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


@pytest.mark.parametrize("full", ["predictions", "checkpoints"])
def test_a_full_disk_stops_the_stream_with_the_reason_and_after_making_space_it_continues_exactly(
    spark, tmp_path, disk, full
):
    disk(tmp_path / "disk", 8)
    (tmp_path / full).symlink_to(tmp_path / "disk")
    write_numbers(tmp_path, range(2))
    writer(spark, tmp_path).trigger(availableNow=True).start().awaitTermination()
    fill(tmp_path / "disk")
    write_numbers(tmp_path, range(2, 5))
    query = writer(spark, tmp_path).start()
    assert wait_for(lambda: not query.isActive, 60, lambda waited: None)
    assert "No space left on device" in str(query.exception())
    assert stored(tmp_path) == numbers(2)
    disk(tmp_path / "disk", 50)
    writer(spark, tmp_path).trigger(availableNow=True).start().awaitTermination()
    assert stored(tmp_path) == numbers(5)
