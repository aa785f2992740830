"""The command line: python -m fraudstream."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fraudstream import broker as kafka_broker
from fraudstream.errors import FraudstreamError
from fraudstream.settings import load_settings

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
broker = typer.Typer(help="The embedded Kafka broker, one for each output folder.", no_args_is_help=True)
app.add_typer(broker, name="broker")

DataDir = Annotated[Path | None, typer.Option(help="Folder of the CSV files (default: FRAUDSTREAM_DATA_DIR or data).")]


@app.command()
def generate(
    data_dir: DataDir = None,
    scale: Annotated[float, typer.Option(help="Times the default size.", min=0.001)] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files, byte for byte.")] = 42,
) -> None:
    """Make the shop's data. Files that this command did not write are never overwritten."""
    from fraudstream.generate import generate

    generate(_settings(data_dir=data_dir).data_dir, scale=scale, seed=seed)


@app.command()
def train(
    data_dir: DataDir = None,
    model_dir: Annotated[Path | None, typer.Option(help="Folder for my_ML_model.zip, metrics and plots.")] = None,
) -> None:
    """Train a random forest and gradient-boosted trees on the past, and save the better one."""
    from fraudstream.train import train

    train(_settings(data_dir=data_dir, model=model_dir and model_dir / "my_ML_model.zip"))


@app.command()
def run(
    batches: Annotated[int | None, typer.Option(help="Batches to send (default: FRAUDSTREAM_BATCHES or 120).")] = None,
    interval: Annotated[float | None, typer.Option(help="Seconds between two batches.")] = None,
    empty_topics: Annotated[
        bool, typer.Option(help="Empty the topics of a Kafka that is not the embedded one.")
    ] = False,
) -> None:
    """Run the three notebooks headless; exit code 0 only if every transaction sent is predicted or accounted for."""
    from fraudstream.run import run

    summary = run(_settings(batches=batches, interval_s=interval), empty_topics=empty_topics)
    if not summary.complete:
        raise FraudstreamError(
            f"{summary.lost} transactions are neither predicted nor accounted for: see summary.json."
        )


@app.command()
def reset(
    empty_topics: Annotated[
        bool, typer.Option(help="Empty the topics of a Kafka that is not the embedded one.")
    ] = False,
) -> None:
    """Start afresh: results and checkpoints move to output/earlier, the topics are emptied."""
    from fraudstream.fresh import start_afresh

    start_afresh(_settings(), empty_topics=empty_topics)


@broker.command()
def start() -> None:
    """Start the broker, unless it runs; returns when it answers."""
    print(kafka_broker.start(_settings()))


@broker.command()
def stop() -> None:
    """Stop the broker of this output folder, and only that."""
    print("stopped" if kafka_broker.stop(_settings()) else "no broker was running")


@broker.command()
def status() -> None:
    """Say whether the broker runs, and where."""
    print(kafka_broker.status(_settings()))


def _settings(**given):
    return load_settings(**{name: value for name, value in given.items() if value is not None})


def main() -> None:
    """Runs a command; a FraudstreamError becomes one line on standard error and exit code 1."""
    try:
        app()
    except FraudstreamError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
