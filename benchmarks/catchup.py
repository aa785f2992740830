"""How fast does Task 2 work off a backlog? Its own cells, a real broker, and messages that are all there at the start.

Prints one line per size: rows per second from the start of the first micro-batch to the end of the last, the parts of
the micro-batches, their number, and the peak memory of Spark's Java; then the growth exponent of the time.

    .venv/bin/python -m benchmarks.catchup --batches 500 --batches 2000
    FRAUDSTREAM_MAX_OFFSETS_PER_TRIGGER=0 .venv/bin/python -m benchmarks.catchup    # one unbounded micro-batch

A batch is 200 browsing rows and their transactions. The data are FRAUDSTREAM_DATA_DIR's, the model is
FRAUDSTREAM_MODEL's: `generate` and `train` make both. Each size runs in a process of its own.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import psutil
import typer
from kafka import KafkaProducer

from benchmarks.lookback import batches_of, send
from benchmarks.task2 import Task2
from fraudstream.kafka import broker
from fraudstream.kafka.client import bootstrap, client_options, ensure_topics
from fraudstream.settings import PROJECT, Settings, load_settings

ROWS_PER_BATCH = 200


def main(
    batches: Annotated[
        list[int] | None, typer.Option(help="Size of the backlog; several: one after the other.")
    ] = None,
    recording: Annotated[Path | None, typer.Option(help="Where Java's flight recording of the last size goes.")] = None,
    inner: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Prints one line per size."""
    if inner:
        print(json.dumps(_in_own_folder(batches[0], recording)))
        return
    results = [_in_own_process(each, recording) for each in batches or [500, 2000, 8000]]
    for result in results:
        print("  ".join(f"{name} {value:,}" for name, value in result.items()), flush=True)
    if len(results) > 1:
        (first, last), sizes = (
            (results[0]["seconds"], results[-1]["seconds"]),
            (results[0]["rows"], results[-1]["rows"]),
        )
        print(f"time grows with rows to the power of {math.log(last / first) / math.log(sizes[1] / sizes[0]):.2f}")


def _in_own_process(batches: int, recording: Path | None) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.catchup", "--inner", "--batches", str(batches)]
    command += ["--recording", str(recording.resolve())] if recording else []
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _in_own_folder(batches: int, recording: Path | None) -> dict[str, float]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["FRAUDSTREAM_OUTPUT_DIR"] = folder
        settings = load_settings()
        address = bootstrap(settings)
        try:
            ensure_topics(client_options(settings))
            if recording:  # the broker, which runs already, has none
                os.environ["JDK_JAVA_OPTIONS"] = f"-XX:StartFlightRecording=filename={recording},settings=profile"
            return _measure(settings, address, batches)
        finally:
            broker.stop(settings)


def _measure(settings: Settings, address: str, batches: int) -> dict[str, float]:
    began = int(time.time()) - batches
    producer = KafkaProducer(bootstrap_servers=address, acks="all", max_request_size=2**24)
    sent = 0
    for number, batch in enumerate(islice(batches_of(settings.data_dir), batches)):
        send(producer, batch, began + number)
        sent += len(batch[0])
    producer.flush()
    task2 = Task2()
    task2.run(until="Persist the predictions as parquet")
    java = max((each for each in psutil.Process().children(recursive=True) if each.name() == "java"), key=_cpu_s)
    before_s = _cpu_s(java)
    task2.run(until="Read the parquet back")
    query = task2.names["prediction_query"]
    progress = {}
    while sum(each.numInputRows for each in progress.values()) < 2 * math.ceil(sent / ROWS_PER_BATCH):
        query.isActive or query.awaitTermination()  # raises the query's error
        progress |= {each.batchId: each for each in query.recentProgress if each.numInputRows}
        time.sleep(0.2)
    used_s, peak = _cpu_s(java) - before_s, _peak_mb(java.pid)
    for each in task2.names["spark"].streams.active:
        each.stop()
    task2.names["spark"].stop()
    return _figures(list(progress.values()), sent) | {"CPU s": round(used_s, 1), "peak Java MB": round(peak)}


def _figures(progress: list, rows: int) -> dict[str, float]:
    start = min(datetime.fromisoformat(each.timestamp) for each in progress)
    last = max(progress, key=lambda each: each.batchId)
    end = datetime.fromisoformat(last.timestamp).timestamp() + last.durationMs["triggerExecution"] / 1000
    seconds = end - start.timestamp()
    operators = {}
    for each in progress:
        for state in each.stateOperators:
            name = f"{state.operatorName} ms"
            operators[name] = (
                operators.get(name, 0) + state.allUpdatesTimeMs + state.allRemovalsTimeMs + state.commitTimeMs
            )
    return {
        "rows": rows,
        "seconds": round(seconds, 1),
        "rows/s": round(rows / seconds),
        "micro-batches": len(progress),
        "planning ms": sum(each.durationMs["queryPlanning"] for each in progress),
        "addBatch ms": sum(each.durationMs["addBatch"] for each in progress),
        **operators,
    }


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    typer.run(main)
