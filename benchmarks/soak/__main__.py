"""`make soak`: the live pipeline under random faults; exit code 1 if anything is unexplained at its end."""

import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.soak.faults import Faults
from benchmarks.soak.pipeline import Pipeline
from benchmarks.soak.reader import Reader
from benchmarks.soak.verdict import Verdict, judge
from fraudstream.data import csv_files
from fraudstream.kafka.client import client_options, end_offsets
from fraudstream.notebook.prepare import ensure_data, ensure_model
from fraudstream.schemas import PREDICTIONS, TOPICS
from fraudstream.settings import Settings, load_settings
from fraudstream.stream.checkpoint import committed_offsets
from fraudstream.stream.lag import consumer_lag

QUIET_S = (2.0, 8.0)
ROWS = 200


def soak(
    settings: Settings, folder: Path, seed: int, kinds: Callable[[Faults], Iterator[str]], rows: int = ROWS, note=print
) -> Verdict:
    """Runs the pipeline in ``folder``, which must not exist, under faults of ``kinds``, and compares at the end."""
    draw = random.Random(seed)
    pipeline = Pipeline(settings, folder, rows, seed)
    reader, ended, began = Reader(pipeline.settings), [], time.monotonic()
    try:
        pipeline.start()
        note(f"Everything runs after {time.monotonic() - began:.0f} s. Faults begin; seed {seed}.")
        reader.start()
        faults, began = Faults(pipeline, draw), time.monotonic()
        for kind in kinds(faults):
            record = faults.one(kind)
            note(f"{time.monotonic() - began:6.0f} s  {record.kind:<20} recovered after {record.recovered_s:.1f} s")
            ended += _start_again(pipeline)
            time.sleep(draw.uniform(*QUIET_S))
        lasted = time.monotonic() - began
        pipeline.finish(lambda: _lag(pipeline) == 0)
        reader.finish()
        verdict = judge(pipeline, reader, faults.records, ended, lasted)
    finally:
        pipeline.stop()
    verdict.write(pipeline)
    return verdict


def for_minutes(minutes: float) -> Callable[[Faults], Iterator[str]]:
    """Random kinds for so long, or until everything is sent."""

    def kinds(faults: Faults) -> Iterator[str]:
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end and not faults.pipeline.everything_sent():
            yield faults.random_kind()

    return kinds


def _start_again(pipeline: Pipeline) -> list[str]:
    """Starts what has ended although nobody killed it, and says why it has."""
    ended = pipeline.ended_by_itself()
    for name in ended:
        getattr(pipeline, name).start()
    return [f"{name}: {why}" for name, why in ended.items()]


def _lag(pipeline: Pipeline) -> int:
    client = client_options(pipeline.settings)
    ends = {topic: end_offsets(client, topic) for topic in TOPICS}
    return consumer_lag(ends, committed_offsets(pipeline.settings.checkpoints / PREDICTIONS) or {})


def main(
    minutes: Annotated[float, typer.Option(help="How long the producer sends.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the faults and of what is malformed, late, repeated.")] = 1,
) -> None:
    """Runs a soak in output/soak and prints its table."""
    settings = load_settings()
    ensure_data(settings)
    ensure_model(settings)
    folder = settings.output_dir / "soak"
    if folder.exists():
        shutil.rmtree(folder)
    with csv_files.find(settings.data_dir, "new_browsing_behaviour.csv").open() as file:
        rows = min(ROWS, (sum(1 for _ in file) - 1) // int(60 * minutes / settings.interval_s))
    verdict = soak(settings, folder, seed, for_minutes(minutes), rows)
    print(*verdict.lines(), sep="\n")
    if verdict.unexplained or verdict.ended_by_themselves:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
