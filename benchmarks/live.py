"""Where does the time of a live micro-batch go? Task 2's own cells, a real broker, one batch of 200 events a second.

Prints the medians of the micro-batch's parts as Spark reports them, the seconds from ts and from the append to Kafka
until a prediction can be read, and the processors used, Java's and Python's.

    .venv/bin/python -m benchmarks.live --live 60
    .venv/bin/python -m benchmarks.live --live 60 --reports
    .venv/bin/python -m benchmarks.live --live 60 --recording live.jfr    # then: jfr print --events ExecutionSample

The data are FRAUDSTREAM_DATA_DIR's, the model is FRAUDSTREAM_MODEL's: `generate` and `train` make both.
"""

import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from kafka import KafkaProducer

from benchmarks.task2 import Task2
from fraudstream.kafka import broker
from fraudstream.producer.replay import BrowsingCursor, TransactionCursor
from fraudstream.producer.sender import to_json
from fraudstream.producer.ticker import Ticker
from fraudstream.schemas import BROWSING_TOPIC, TRANSACTION_TOPIC
from fraudstream.settings import Settings, load_settings
from fraudstream.stream.store import batch_file, read_batch

PARTS = ("triggerExecution", "queryPlanning", "addBatch", "latestOffset", "walCommit", "commitOffsets")


class Feed(threading.Thread):
    """Sends a batch to both topics on each tick of a second; ``sent_at``: ts -> when both were acknowledged.

    ``send`` sends a backlog at once, each batch with the next ts after ``first_ts``.
    """

    def __init__(self, settings: Settings, address: str, first_ts: int = 0) -> None:
        super().__init__(daemon=True)
        self._ts = first_ts
        self._browsing = BrowsingCursor(settings.data_dir / "new_browsing_behaviour.csv")
        self._transactions = TransactionCursor(settings.data_dir / "new_transaction.csv", self._browsing.first_time)
        self._producer = KafkaProducer(bootstrap_servers=address, acks="all")
        self.sent_at: dict[int, float] = {}
        self.transactions = 0
        self.ended = threading.Event()

    def run(self) -> None:
        ticker = Ticker(1)
        while not self.ended.is_set() and (rows := self._browsing.next_rows()):
            ts = ticker.wait()
            self._send(rows, ts)
            self.sent_at[ts] = time.time()

    def send(self, batches: int) -> None:
        """Sends so many batches at once."""
        for _ in range(batches):
            self._ts += 1
            self._send(self._browsing.next_rows(), self._ts)

    def _send(self, rows: list[dict[str, str]], ts: int) -> None:
        bought = self._transactions.up_to(rows[-1]["event_time"])
        self.transactions += len(bought)
        for topic, batch in ((BROWSING_TOPIC, rows), (TRANSACTION_TOPIC, bought)):
            value = to_json([{**row, "ts": ts} for row in batch])
            self._producer.send(topic, value, timestamp_ms=ts * 1000).get(timeout=10)


def main(
    live: Annotated[int, typer.Option(help="Batches that are measured, one per second.")] = 60,
    warm: Annotated[int, typer.Option(help="Batches that are sent before, until Java has compiled its code.")] = 40,
    reports: Annotated[bool, typer.Option(help="Run the three reports as well.")] = False,
    recording: Annotated[Path | None, typer.Option(help="Where Java's flight recording goes.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Prints one line per part."""
    if recording:
        os.environ["JDK_JAVA_OPTIONS"] = (
            f"-XX:StartFlightRecording=filename={recording.resolve()},settings=profile,dumponexit=true"
            " -XX:FlightRecorderOptions=stackdepth=600"
        )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["FRAUDSTREAM_OUTPUT_DIR"] = folder
        settings = load_settings()
        try:
            figures = _measure(settings, live, warm, reports)
        finally:
            broker.stop(settings)
    if as_json:
        print(json.dumps(figures))
        return
    for name, values in figures.items():
        spread = "  ".join(f"{p} {value:8,.2f}" for p, value in values.items()) if isinstance(values, dict) else values
        print(f"{name:<24}{spread}")


def _measure(settings: Settings, live: int, warm: int, reports: bool) -> dict[str, Any]:
    task2 = Task2()
    task2.run(until="Read the parquet back")
    names = task2.names
    feed = Feed(settings, names["address"])
    feed.start()
    if reports:
        task2.run(until="Let it run")
    wait_for(feed, warm)
    query = names["prediction_query"]
    first, since, processors = query.lastProgress.batchId + 1, time.monotonic(), _processor_seconds()
    wait_for(feed, warm + live)
    used = (_processor_seconds() - processors) / (time.monotonic() - since)
    feed.ended.set()
    feed.join()
    query.processAllAvailable()
    progress = [each for each in query.recentProgress if each.numInputRows and each.batchId >= first]
    parts = {f"{part}, ms": [each.durationMs.get(part, 0) for each in progress] for part in PARTS}
    since_ts, since_append = _seconds_to_readable(settings, first, feed)
    spreads = {**parts, "ts to readable, s": since_ts, "append to readable, s": since_append}
    for each in names["spark"].streams.active:
        each.stop()
    names["spark"].stop()
    return {
        **{name: percentiles(values) for name, values in spreads.items()},
        "micro-batches": len(progress),
        "predictions": len(since_ts),
        "processors used": round(used, 2),
    }


def wait_for(feed: Feed, batches: int) -> None:
    while feed.is_alive() and len(feed.sent_at) < batches:
        time.sleep(0.1)


def _seconds_to_readable(settings: Settings, first: int, feed: Feed) -> tuple[list[float], list[float]]:
    """Of each prediction since micro-batch ``first``: seconds from its ts, and from its append to Kafka."""
    since_ts, since_append = [], []
    for directory in settings.predictions.glob("batch_id=*"):
        batch_id = int(directory.name.partition("=")[2])
        if batch_id >= first:
            file = batch_file(settings.predictions, batch_id)
            readable = file.stat().st_mtime
            for ts in read_batch(file, ["ts"])["ts"].to_pylist():
                since_ts.append(readable - ts)
                since_append.append(readable - feed.sent_at[ts])
    return since_ts, since_append


def percentiles(values: list[float]) -> dict[str, float]:
    """p50, p95 and p99 of the values; none without a value."""
    return {f"p{p}": round(float(np.percentile(values, p)), 2) for p in (50, 95, 99)} if values else {}


def _processor_seconds() -> float:
    """Of this process and all that it has started, the broker too."""
    times = [each.cpu_times() for each in (psutil.Process(), *psutil.Process().children(recursive=True))]
    return sum(each.user + each.system for each in times)


if __name__ == "__main__":
    typer.run(main)
