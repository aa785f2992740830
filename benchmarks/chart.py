"""How long does Task 3's chart take to show one more batch, when it holds a minute or an hour of batches?

Draws with ipympl, as in JupyterLab, and counts all that the kernel does for one update: the drawing, the comparison
with the picture before, and the PNG of what has changed. The processor's time is less shaken by what else is running.

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


def main(points: Annotated[list[int] | None, typer.Option(help="Batches in the chart.")] = None) -> None:
    """Prints a line for each number of points: milliseconds of an update, by the clock and of the processor."""
    matplotlib.use("module://ipympl.backend_nbagg")
    for number in points or [60, 600, 3600]:
        wall, busy = (statistics.quantiles([1000 * s for s in each], n=20) for each in _updates(number))
        print(f"{number:,} points: p50 {wall[9]:.0f} ms, p95 {wall[-1]:.0f} ms; processor p50 {busy[9]:.0f} ms")


def _updates(points: int) -> tuple[list[float], list[float]]:
    """Seconds of each update, by the clock and of the processor."""
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
