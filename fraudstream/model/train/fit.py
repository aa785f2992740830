"""Fits a random forest and gradient-boosted trees on the past, compares them on its last fifth, saves the better."""

import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fraudstream.data.check import require_files
from fraudstream.errors import Note
from fraudstream.features import FeatureOptions
from fraudstream.model import FOLDER, SavedModel, pack
from fraudstream.model.drift import reference
from fraudstream.model.quality import DEFAULT_COSTS, Costs
from fraudstream.model.train.evaluate import Evaluation, best_of, evaluate
from fraudstream.model.train.examples import (
    TRAIN_SHARE,
    columns_with_values,
    labelled_examples,
    require_both_kinds,
    seconds,
    split_by_time,
)
from fraudstream.model.train.pipelines import CATEGORIES, CHOSEN, NUMBERS, Parameters, pipeline, shown
from fraudstream.model.train.report import write_evaluation
from fraudstream.model.train.tune import Candidate, best, tune
from fraudstream.runtime.batch import batch_session
from fraudstream.schemas import PAST_FILES, STREAM_COLUMNS
from fraudstream.settings import Settings
from fraudstream.storage.folders import writable
from fraudstream.storage.hadoop import hadoop_glob, hadoop_path

DAY_S = 24 * 3600


def train(
    settings: Settings,
    model_zip: Path | None = None,
    note: Note = print,
    *,
    tolerate: bool = False,
    tuned: bool = False,
    costs: Costs = DEFAULT_COSTS,
) -> Path:
    """Trains on ``settings.data_dir``; returns the path of the zip (default: ``settings.model``).

    Writes metrics.json and the plots to the zip's folder. ``tolerate``: also with files in which more than one in a
    hundred values cannot be used. ``tuned``: the parameters are chosen by ``tune`` on the training's part of the past,
    instead of CHOSEN. ``costs``: for the table of thresholds. Raises DataError for missing or unusable files,
    OutputError when the zip's folder cannot be written; Interrupted after Ctrl-C, without a zip.
    """
    target = model_zip or settings.model
    for text in require_files(settings.data_dir, PAST_FILES, tolerate=tolerate):  # before Spark takes its time to start
        note(text)
    writable(target.parent)
    with batch_session(settings, "training") as spark:
        examples = labelled_examples(spark, settings.data_dir, FeatureOptions.of(settings)).cache()
        past, recent = split_by_time(examples)
        require_both_kinds(past, f"the first {TRAIN_SHARE:.0%} of the transactions")
        note(f"Training on {past.count():,} transactions, evaluating on the {recent.count():,} after them.")
        tuning = tune(past, note) if tuned else []
        chosen = best(tuning) if tuned else CHOSEN
        fitted, scores = _compare(past, recent, chosen, note)
        name = best_of(scores)
        save(fitted[name], target)
        _write(scores, target, recent, costs, chosen, tuning, note)
        return target


def _compare(
    past: DataFrame, recent: DataFrame, chosen: Mapping[str, Parameters], note: Note
) -> tuple[dict[str, PipelineModel], dict[str, Evaluation]]:
    """Both pipelines, fitted on ``past`` and evaluated on ``recent``."""
    known = columns_with_values(past)
    without = [name for name in (*CATEGORIES, *NUMBERS) if name not in known]
    if without:
        note(f"Without {', '.join(without)}: no transaction to train on has a value there.")
    fitted: dict[str, PipelineModel] = {}
    scores: dict[str, Evaluation] = {}
    for name, parameters in chosen.items():
        note(f"Fitting {name.replace('_', ' ')}: {shown(parameters)}.")
        fitted[name] = pipeline(name, known, parameters).fit(past)
        scores[name] = evaluate(name, fitted[name], recent)
        note(str(scores[name]))
    return fitted, scores


def _write(
    scores: Mapping[str, Evaluation],
    target: Path,
    recent: DataFrame,
    costs: Costs,
    chosen: Mapping[str, Parameters],
    tuning: list[Candidate],
    note: Note,
) -> None:
    """Writes metrics and plots, and says which pipeline was saved and why."""
    first, last = recent.select(F.min(seconds()), F.max(seconds())).first()
    name = best_of(scores)
    days = max(last - first, 1) / DAY_S
    features = reference(recent.select(*CATEGORIES, *NUMBERS).toPandas(), CATEGORIES, NUMBERS)
    metrics = write_evaluation(
        scores, name, target, days=days, costs=costs, chosen=chosen, tuning=tuning, features=features
    )
    why = "the larger area under the precision-recall curve"
    if scores[name].area_under_pr is None:
        why = "the two cannot be compared, because the held-out transactions are all of one class"
    note(f"Saved {name.replace('_', ' ')} as {target}: {why}.")
    if scores[name].recall == 0:
        note(f"Warning: this model found none of the {scores[name].fn:,} frauds that it was judged on (recall 0).")
    cheapest = metrics["thresholds"]["cheapest"]
    (row,) = (row for row in metrics["thresholds"]["table"] if row["threshold"] == cheapest)
    note(
        f"Cheapest threshold: {cheapest:g}, with {row['alerts']} alerts ({row['alerts_per_day']:g} per day), at "
        f"{costs.missed_fraud:,.0f} rupiah per missed fraud and {costs.false_alarm:,.0f} per false alarm."
    )


def save(model: PipelineModel, target: Path) -> None:
    """Zips ``model`` as ``target`` once the zip has been read back: unpacked, loaded, and matched with the stream.

    Raises ModelError when the zip is not such a model; an older ``target`` is then untouched.
    """
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / FOLDER
        model.write().save(hadoop_path(saved))
        pack(saved, target, lambda zipped: _load(zipped, Path(folder) / "read_back"))


def _load(zipped: Path, folder: Path) -> PipelineModel:
    """The model in the zip, unpacked in ``folder``. Raises ModelError where it does not fit the stream."""
    opened = SavedModel.open(zipped)
    opened.match(STREAM_COLUMNS)
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(opened.fresh_folder(folder))
    return PipelineModel.load(hadoop_glob(folder / FOLDER))
