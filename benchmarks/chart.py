"""Measures how long Task 3's chart takes to show one more batch, with a minute to an hour of batches in it.

Draws with ipympl, as in JupyterLab. An update counts all work of the kernel: the drawing, the comparison with the
previous picture, and the PNG of the difference. Processor time is less affected by other programs than wall time.

    .venv/bin/python -m benchmarks.chart
"""

import random
import statistics
import time
from typing import Annotated

import matplotlib
import typer

from fraudstream.consumer.chart import SuccessChart

UPDATES = 43
TS = 1_745_818_000


def main(points: Annotated[list[int] | None, typer.Option(help="Number of batches in the chart.")] = None) -> None:
    """Prints one line per number of points: milliseconds per update, wall time and processor time."""
    matplotlib.use("module://ipympl.backend_nbagg")
    for number in points or [60, 600, 3600]:
        wall, busy = (statistics.quantiles([1000 * s for s in each], n=20) for each in _updates(number))
        print(f"{number:,} points: p50 {wall[9]:.0f} ms, p95 {wall[-1]:.0f} ms; processor p50 {busy[9]:.0f} ms")


def _updates(points: int) -> tuple[list[float], list[float]]:
    """Seconds of each update: wall time, processor time."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 4.4))
    (line,) = axes.plot([], [], marker="o")
    chart = SuccessChart(line)
    draw = random.Random(1)
    for second in range(points):
        chart.add(TS + second, draw.randint(0, 9), 9)
    wall, busy = [], []
    for second in range(points, points + UPDATES):
        chart.add(TS + second, draw.randint(0, 9), 9)
        began, worked = time.perf_counter(), time.process_time()
        chart.draw()
        wall.append(time.perf_counter() - began)
        busy.append(time.process_time() - worked)
    plt.close(figure)
    return wall[3:], busy[3:]


if __name__ == "__main__":
    typer.run(main)
