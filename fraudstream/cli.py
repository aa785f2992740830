"""Live fraud prediction for an online shop: Kafka, Spark Structured Streaming and Spark ML in three notebooks."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from fraudstream.errors import DataError, FraudstreamError, Interrupted, OutputError
from fraudstream.kafka import broker as kafka_broker
from fraudstream.settings import PROJECT, Settings, load_settings
from fraudstream.storage.folders import REASONS, unwritable

app = typer.Typer(help=__doc__, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
broker = typer.Typer(help="The embedded Kafka broker, one per output folder.", rich_markup_mode=None)
app.add_typer(broker, name="broker")

DataDir = Annotated[Path | None, typer.Option(help="Folder of the CSV files (default: FRAUDSTREAM_DATA_DIR or data).")]
EmptyTopics = Annotated[bool, typer.Option("--empty-topics", help="Also empty the topics of an external Kafka.")]
Wait = Annotated[float, typer.Option(help="Seconds to wait for an external Kafka to answer.", min=0)]
Tolerate = Annotated[
    bool, typer.Option("--tolerate", help="Accept files in which more than 1 % of the values are unusable.")
]
INTERRUPTED = 130
# field of the settings -> the option that sets it
OPTIONS = {"data_dir": "--data-dir", "model": "--model", "batches": "--batches", "interval_s": "--interval"}


@app.callback(invoke_without_command=True)
@broker.callback(invoke_without_command=True)
def show_help(context: typer.Context) -> None:
    """Shows the help where no subcommand is given."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def generate(
    data_dir: DataDir = None,
    scale: Annotated[float, typer.Option(help="Multiple of the default size, from 0.01 to 20.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Random seed: the same seed gives the same files, byte for byte.")] = 42,
    drift: Annotated[
        str,
        typer.Option(
            help="Feature that drifts in the stream: session_minutes, payment_method, promo_amount or shipment_fee."
        ),
    ] = "",
) -> None:
    """Generate the shop's data. Files that this command did not write are never overwritten."""
    settings = _settings(data_dir=data_dir)
    from fraudstream.data.generate import generate

    generate(settings.data_dir, scale=scale, seed=seed, drift=drift)


@app.command()
def train(
    data_dir: DataDir = None,
    model_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder for my_ML_model.zip, metrics and plots (default: that of FRAUDSTREAM_MODEL, or models)."
        ),
    ] = None,
    tolerate: Tolerate = False,
    tune: Annotated[
        bool, typer.Option("--tune", help="Choose the parameters by cross-validation first: some minutes more.")
    ] = False,
    cost_missed: Annotated[float, typer.Option(help="Rupiah that a missed fraud costs.", min=0)] = 1_000_000,
    cost_alarm: Annotated[float, typer.Option(help="Rupiah that a false alarm costs.", min=0)] = 100_000,
) -> None:
    """Train a random forest and gradient-boosted trees on the past files, and save the better one."""
    settings = _settings(data_dir=data_dir, model=model_dir and model_dir / "my_ML_model.zip")
    _require_data_folder(settings)
    from fraudstream.model.quality import Costs
    from fraudstream.model.train import train

    train(settings, tolerate=tolerate or settings.tolerate, tuned=tune, costs=Costs(cost_missed, cost_alarm))


@app.command()
def check(
    data_dir: DataDir = None,
    model: Annotated[Path | None, typer.Option(help="Zip of the model (default: FRAUDSTREAM_MODEL).")] = None,
    tolerate: Tolerate = False,
) -> None:
    """Check that the files and the model fit the stream; exit code 1 if something does not. Writes nothing."""
    from fraudstream.run.check import check

    settings = _settings(data_dir=data_dir, model=model)
    _require_data_folder(settings)
    fits = check(settings, tolerate=tolerate or settings.tolerate)
    # end at once: on an ordinary exit the CSV reader's threads abort about 1 in 24 times ("terminate called")
    sys.stdout.flush()
    os._exit(0 if fits else 1)


@app.command()
def backtest(
    model: Annotated[Path | None, typer.Option(help="Zip of another model (default: that of the run).")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Alerts are the transactions above this probability (default: 0.5).")
    ] = None,
) -> None:
    """Score a run's transactions with another model or threshold, and list those that change. Writes nothing."""
    settings = _settings()
    from fraudstream.run.backtest import backtest

    print(backtest(settings, model and model.expanduser().resolve(), threshold))


@app.command()
def run(
    batches: Annotated[int | None, typer.Option(help="Batches to send (default: FRAUDSTREAM_BATCHES or 120).")] = None,
    interval: Annotated[float | None, typer.Option(help="Seconds between two batches.")] = None,
    empty_topics: EmptyTopics = False,
    wait: Wait = 60,
    tolerate: Tolerate = False,
) -> None:
    """Run the three notebooks headless; exit code 0 only if every transaction sent is accounted for.

    Creates data and model if they are missing. A broker that this command started is stopped at the end.
    """
    settings = _settings(batches=batches, interval_s=interval)
    if settings.data_dir != PROJECT / "data":  # the default model is trained if it is missing
        _require_data_folder(settings)
    from fraudstream.run.headless import run

    summary = run(settings, empty_topics=empty_topics, wait_s=wait, tolerate=tolerate or settings.tolerate)
    if not summary.complete:
        raise FraudstreamError(
            f"{summary.lost + summary.unread} transactions are unaccounted for, and "
            f"{summary.reports_wrong or 0} report windows do not match the predictions: see summary.json."
        )


@app.command()
def reset(empty_topics: EmptyTopics = False, wait: Wait = 60) -> None:
    """Start over: move results and checkpoints to earlier/ in the same folder, and empty the topics."""
    from fraudstream.run.lock import hold_output_folder
    from fraudstream.run.reset import reset

    settings = _settings()
    with hold_output_folder(settings, "reset"), kafka_broker.stop_broker_afterwards(settings, "reset"):
        reset(settings, empty_topics=empty_topics, wait_s=wait)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(context: typer.Context) -> None:
    """Start the broker and JupyterLab with the three notebooks; Ctrl-C ends both. Other options go to JupyterLab."""
    from fraudstream.run.lab import lab

    lab(_settings(), context.args)


@app.command()
def handin(
    batches: Annotated[int | None, typer.Option(help="Batches to send (default: FRAUDSTREAM_BATCHES or 120).")] = None,
) -> None:
    """Run the three notebooks and write handin.zip: notebooks with outputs, HTML, chart, summary."""
    settings = _settings(batches=batches)
    from fraudstream.run.handin import hand_in

    print(hand_in(settings))


@broker.command()
def start() -> None:
    """Start the broker unless it is running; returns once it answers."""
    settings = _settings()
    print(kafka_broker.start(settings))
    kafka_broker.keep(settings)


@broker.command()
def stop() -> None:
    """Stop the broker of this output folder; no other is touched."""
    print("stopped" if kafka_broker.stop(_settings()) else "no broker was running")


@broker.command()
def status() -> None:
    """Show whether the broker is running, and its address."""
    print(kafka_broker.status(_settings()))


def _settings(**given: object) -> Settings:
    return load_settings(OPTIONS, **{name: value for name, value in given.items() if value is not None})


def _require_data_folder(settings: Settings) -> None:
    """Raises DataError if the data folder does not exist; used by all commands that read the CSV files."""
    if not settings.data_dir.is_dir():
        raise DataError(
            f"{settings.data_dir}: no such folder. Set FRAUDSTREAM_DATA_DIR or --data-dir to the folder of your files."
        )


def main() -> None:
    """Runs a command; a FraudstreamError becomes one line on standard error and exit code 1 (130 for Ctrl-C).

    The same applies to a folder or a disk that cannot be written.
    """
    try:
        app()
    except Interrupted as error:
        print(error, file=sys.stderr)
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print("Interrupted.", file=sys.stderr)
        raise
    except FraudstreamError as error:
        _end(error)
    except OSError as error:
        if error.errno not in REASONS:
            raise
        _end(OutputError(unwritable("A file", error)))


def _end(error: FraudstreamError) -> None:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(1)
