"""Measures micro-batches with an hour of browsing events in the join's state, for each state store.

Sends ``--remembered`` batches of 200 events at once, with the ts of the last that many seconds, and waits until Task 2
has read them. Then it sends ``--live`` batches, one per second, and prints duration of the micro-batches, size of the
state, and memory.

    .venv/bin/python -m benchmarks.lookback --remembered 3600 --store rocksdb-4
"""

import json
import os
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Annotated

import psutil
import typer
from kafka import KafkaProducer

from benchmarks.task2 import run_cells
from fraudstream.data.generate import generate
from fraudstream.kafka import broker
from fraudstream.kafka.client import bootstrap, client_options, ensure_topics
from fraudstream.producer.replay import BrowsingCursor, TransactionCursor
from fraudstream.runtime import spark
from fraudstream.schemas import BROWSING_TOPIC, TRANSACTION_TOPIC
from fraudstream.settings import load_settings

FORMAT = "spark.sql.streaming.join.stateFormatVersion"
STORES = {
    "rocksdb-4": {},
    "rocksdb-3": {FORMAT: "3"},
    "memory-2": {
        "spark.sql.streaming.stateStore.providerClass": (
            "org.apache.spark.sql.execution.streaming.state.HDFSBackedStateStoreProvider"
        ),
        FORMAT: "2",
    },
}


def main(
    remembered: Annotated[int, typer.Option(help="Batches in the state when the measurement begins.")] = 3600,
    live: Annotated[int, typer.Option(help="Batches to measure, one per second.")] = 60,
    store: Annotated[
        str, typer.Option(help="State store and format of the join state: rocksdb-4, rocksdb-3 or memory-2.")
    ] = "rocksdb-4",
) -> None:
    """Prints one line of figures."""
    spark.STREAM_OPTIONS.update(STORES[store])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FRAUDSTREAM_OUTPUT_DIR"] = folder
        os.environ["FRAUDSTREAM_DATA_DIR"] = data = str(Path(folder) / "data")
        generate(Path(data), scale=max(0.1, (remembered + live) / 480), progress=False)
        settings = load_settings()
        address = bootstrap(settings)
        try:
            ensure_topics(client_options(settings))
            _measure(settings, address, remembered, live, store)
        finally:
            broker.stop(settings)


def _measure(settings, address: str, remembered: int, live: int, store: str) -> None:
    batches = batches_of(Path(settings.data_dir))
    began = int(time.time()) - remembered
    producer = KafkaProducer(bootstrap_servers=address, acks="all", max_request_size=2**24)
    for number, batch in enumerate(islice(batches, remembered)):
        send(producer, batch, began + number)
    producer.flush()
    since = time.monotonic()
    names = run_cells(until="Read the parquet back")
    query = names["prediction_query"]
    query.processAllAvailable()
    took_in = time.monotonic() - since
    first_live = query.lastProgress.batchId + 1 if remembered else 0
    start = time.monotonic()
    for number, batch in enumerate(islice(batches, live)):
        time.sleep(max(0, start + number - time.monotonic()))
        send(producer, batch, int(time.time()))
        producer.flush()
    query.processAllAvailable()
    progress = [one for one in query.recentProgress if one.numInputRows and one.batchId >= first_live]
    durations = [one.durationMs["triggerExecution"] for one in progress]
    removals = [
        state.allRemovalsTimeMs for one in progress for state in one.stateOperators if "Join" in state.operatorName
    ]
    states = query.lastProgress.stateOperators
    java = [child for child in psutil.Process().children(recursive=True) if child.name() == "java"]
    memory = max(process.memory_info().rss for process in java) / 2**20
    print(
        f"{store}, {remembered} batches in the state (read in {took_in:.0f} s with the start): micro-batch p50"
        f" {statistics.median(durations):.0f} ms, p95 {statistics.quantiles(durations, n=20)[-1]:.0f} ms;"
        f" of this finding expired events {statistics.median(removals):.0f} ms;"
        f" {sum(state.numRowsTotal for state in states):,} state rows, Spark's Java {memory:,.0f} MB"
    )
    for each in names["spark"].streams.active:
        each.stop()


def batches_of(data: Path):
    browsing = BrowsingCursor(data / "new_browsing_behaviour.csv")
    transactions = TransactionCursor(data / "new_transaction.csv", since=browsing.first_time)
    while rows := browsing.next_rows(200):
        yield rows, transactions.up_to(rows[-1]["event_time"])


def send(producer: KafkaProducer, batch, ts: int) -> None:
    for topic, rows in zip((BROWSING_TOPIC, TRANSACTION_TOPIC), batch, strict=True):
        value = json.dumps([{**row, "ts": ts} for row in rows]).encode()
        producer.send(topic, value, timestamp_ms=ts * 1000)


if __name__ == "__main__":
    typer.run(main)
