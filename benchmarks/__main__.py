"""Runs the benchmarks by name; each prints a table and writes docs/benchmarks/<name>.md and .png, with the machine.

    .venv/bin/python -m benchmarks             # lists the names
    .venv/bin/python -m benchmarks latency

The data are FRAUDSTREAM_DATA_DIR's, the model is FRAUDSTREAM_MODEL's: `generate` and `train` make both.
"""

import json
import math
import os
import platform
import subprocess
import sys
from typing import Annotated, Any

import matplotlib
import psutil
import pyspark
import typer

from fraudstream.errors import FraudstreamError
from fraudstream.settings import PROJECT

FOLDER = PROJECT / "docs" / "benchmarks"
SHARE = "predicted when the last batch was sent, %"
Table = list[dict[str, Any]]


def main(
    part: Annotated[str, typer.Argument(help="Name of a benchmark; without it, the names are listed.")] = "",
) -> None:
    """Runs one benchmark."""
    if not part:
        for name, function in PARTS.items():
            print(f"{name:<10}{function.__doc__.splitlines()[0]}")
        return
    if part not in PARTS:
        raise FraudstreamError(f"No benchmark is called {part}. There are: {', '.join(PARTS)}.")
    load = os.getloadavg()[0]
    table, note = PARTS[part]()
    _write(part, table, note, load)


def latency() -> tuple[Table, str]:
    """Seconds from ts to a readable prediction, beside the usual design in append mode (16 minutes)."""
    rows = []
    for name, options in {
        "usual design, Spark's default of 200 partitions": ("usual", "--partitions", "200", "--batches", "360"),
        "usual design, 4 partitions": ("usual", "--partitions", "4", "--batches", "240"),
        "fraudstream": ("live", "--live", "90", "--json"),
        "fraudstream with all reports": ("live", "--live", "90", "--reports", "--json"),
    }.items():
        found = _run(*options)
        seconds, ms = found["ts to readable, s"], found.get("triggerExecution, ms") or found["micro-batch, ms"]
        shares = {
            "predicted when the last batch was sent, %": found.get("predicted when the last batch was sent, %", "")
        }
        rows.append({"design": name, **{f"{p}, s": seconds.get(p, "none") for p in ("p50", "p95", "p99")}, **shares})
        rows[-1]["micro-batch p50, ms"] = ms.get("p50", "")
    _bars("latency", [row["design"] for row in rows], [row["p50, s"] for row in rows])
    return rows, "One batch of 200 events per second; the first 40 batches of fraudstream are not counted."


def catchup() -> tuple[Table, str]:
    """Rows per second of a backlog of 0.1, 0.4 and 1.6 million browsing rows, and peak memory (10 minutes)."""
    rows = [_run("catchup", "--inner", "--batches", str(batches)) for batches in (500, 2000, 8000)]
    growth = math.log(rows[-1]["seconds"] / rows[0]["seconds"]) / math.log(rows[-1]["rows"] / rows[0]["rows"])
    memory = rows[-1]["peak Java MB"] / rows[0]["peak Java MB"]
    _lines("catchup", [row["rows"] for row in rows], [row["seconds"] for row in rows])
    return (
        rows,
        f"Time grows with rows to the power of {growth:.2f}; peak memory {memory:.2f} times that of the smallest.",
    )


PARTS = {"latency": latency, "catchup": catchup}


def _run(module: str, *options: str) -> dict[str, Any]:
    """The JSON object that the benchmark prints last, in a process of its own."""
    print(f"... {module} {' '.join(options)}", flush=True)
    command = [sys.executable, "-m", f"benchmarks.{module}", *options]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _write(part: str, table: Table, note: str, load: float) -> None:
    lines = [f"| {' | '.join(table[0])} |", "|---" * len(table[0]) + "|"]
    lines += ["| " + " | ".join(_text(value) for value in row.values()) + " |" for row in table]
    memory = psutil.virtual_memory().total / 2**30
    machine = (
        f"{psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}, Spark "
        f"{pyspark.__version__}; load average at the start {load:.1f}"
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = [f"# Benchmark: {part}", "", f"`make bench PART={part}`. {note}", "", *lines, "", f"Machine: {machine}.", ""]
    (FOLDER / f"{part}.md").write_text("\n".join([*text, f"![{part}]({part}.png)", ""]), encoding="utf-8")
    print("\n".join([*lines, note, machine]))


def _text(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _bars(part: str, names: list[str], seconds: list[Any]) -> None:
    axes = _axes("seconds from ts to a readable prediction, median")
    axes.barh(names, [value if isinstance(value, float) else 0 for value in seconds])
    axes.set_xscale("log")
    _save(part, axes)


def _lines(part: str, rows: list[int], seconds: list[float]) -> None:
    axes = _axes("browsing rows in the backlog")
    axes.loglog(rows, seconds, marker="o")
    axes.set_ylabel("seconds until all are predicted")
    _save(part, axes)


def _axes(xlabel: str) -> Any:
    from matplotlib import pyplot as plt

    matplotlib.use("agg")
    _, axes = plt.subplots(figsize=(8, 3), layout="constrained")
    axes.set_xlabel(xlabel)
    return axes


def _save(part: str, axes: Any) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    axes.figure.savefig(FOLDER / f"{part}.png", dpi=110)


if __name__ == "__main__":
    try:
        typer.run(main)
    except FraudstreamError as error:
        sys.exit(str(error))
