"""What do reasons, alerts and late labels cost? Task 2's own cells, a real broker; on and off by turns, in one run.

First the catch-up: a backlog of batches as one micro-batch, into an empty folder, some times each way. Then live: one
batch of 200 events a second, the seconds from ts until a prediction can be read, by turns of some batches each way.

    .venv/bin/python -m benchmarks.alerts

The data are FRAUDSTREAM_DATA_DIR's, the model is FRAUDSTREAM_MODEL's: `generate` and `train` make both.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.live import Feed
from benchmarks.task2 import Task2
from fraudstream.kafka import broker
from fraudstream.model import SavedModel
from fraudstream.producer.labels import LabelFeed
from fraudstream.settings import Settings, load_settings
from fraudstream.stream.alerts import AlertPublisher
from fraudstream.stream.live_accuracy import LiveAccuracy
from fraudstream.stream.publish import write_batch
from fraudstream.stream.sink import stamped
from fraudstream.stream.store import batch_files, batch_number, read_batch

WAYS = ("off", "on")


def main(
    backlog: Annotated[int, typer.Option(help="Batches of the catch-up.")] = 200,
    passes: Annotated[int, typer.Option(help="Catch-ups each way, after one that is not counted.")] = 3,
    turns: Annotated[int, typer.Option(help="Turns each way of the live measurement.")] = 3,
    batches: Annotated[int, typer.Option(help="Batches per turn; the first two are not counted.")] = 15,
) -> None:
    """Prints the medians of both ways, and by how much they differ."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["FRAUDSTREAM_OUTPUT_DIR"] = folder
        settings = load_settings()
        try:
            task2 = Task2()
            task2.run(until="Persist the predictions as parquet")
            feed = Feed(settings, task2.names["address"], first_ts=int(time.time()) - backlog)
            feed.send(backlog)
            _show("catch-up, s", _catch_up(task2.names, settings, passes))
            task2.run(until="Read the parquet back")
            task2.names["prediction_query"].processAllAvailable()
            feed.start()
            _show("ts to readable, s", _live(task2.names, settings, feed, turns, batches))
            feed.ended.set()
            for query in task2.names["spark"].streams.active:
                query.stop()
            task2.names["spark"].stop()
        finally:
            broker.stop(settings)


def _catch_up(names: dict[str, Any], settings: Settings, passes: int) -> dict[str, list[float]]:
    """Way -> seconds of each catch-up, from the start of the query to its last file."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(1 + 2 * passes):
        way, folder = WAYS[number % 2], settings.output_dir / f"catch-up-{number}"
        explanations = names["explanations"] if way == "on" else None

        def write(batch: Any, batch_id: int, folder: Any = folder, explanations: Any = explanations) -> None:
            write_batch(stamped(batch.toArrow(), explanations), folder / "predictions", batch_id)

        writer = names["predictions"].writeStream.outputMode("update").foreachBatch(write)
        began = time.monotonic()
        query = writer.option("checkpointLocation", str(folder / "checkpoint")).start()
        query.processAllAvailable()
        if number:
            seconds[way].append(time.monotonic() - began)
        query.stop()
    flagged = [read_batch(file, ["prediction"])["prediction"] for file in batch_files(folder / "predictions")]
    rows = np.concatenate([each.to_numpy() for each in flagged])
    print(f"catch-up: {len(rows):,} transactions, {int(rows.sum()):,} flagged")
    return seconds


def _live(names: dict[str, Any], settings: Settings, feed: Feed, turns: int, batches: int) -> dict[str, list[float]]:
    """Way -> seconds from ts to readable of each prediction."""
    way_of: dict[int, str] = {}
    explanations = names["explanations"]
    _wait_for(feed, 2 * batches)  # Java's compiler
    for way in WAYS * turns:
        names["explanations"] = explanations if way == "on" else None
        with _all_of_it(settings, names["saved"], way):
            begun = len(feed.sent_at)
            _wait_for(feed, batches)
            way_of |= dict.fromkeys(list(feed.sent_at)[begun + 2 :], way)
    names["prediction_query"].processAllAvailable()
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for file in sorted(batch_files(settings.predictions), key=batch_number):
        readable = file.stat().st_mtime
        for ts in read_batch(file, ["ts"])["ts"].to_pylist():
            if ts in way_of:
                seconds[way_of[ts]].append(readable - ts)
    return seconds


@contextmanager
def _all_of_it(settings: Settings, saved: SavedModel, way: str) -> Iterator[None]:
    """The threads of alerts and live accuracy, and that of Task 1's labels, where ``way`` is on."""
    if way == "off":
        yield
        return
    threads = AlertPublisher(settings), LabelFeed(settings), LiveAccuracy(settings, saved)
    yield
    for thread in threads:
        thread.finish()
    print(threads[0].status, threads[-1].accuracy(), sep="\n")


def _wait_for(feed: Feed, batches: int) -> None:
    end = len(feed.sent_at) + batches
    while feed.is_alive() and len(feed.sent_at) < end:
        time.sleep(0.1)


def _show(name: str, seconds: dict[str, list[float]]) -> None:
    for way in WAYS:
        spread = "  ".join(f"p{p} {np.percentile(seconds[way], p):6.2f}" for p in (50, 95))
        print(f"{name:<20}{way:<4}{spread}  ({len(seconds[way])} values)")
    off, on = (statistics.median(seconds[way]) for way in WAYS)
    print(f"{name:<20}on against off {on / off - 1:+.0%}")


if __name__ == "__main__":
    typer.run(main)
