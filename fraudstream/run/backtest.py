"""What-if: a run's transactions with another model or another threshold, from their stored features."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from fraudstream import results
from fraudstream.data.csv_files import truth
from fraudstream.data.parsing import SHOP_TIME
from fraudstream.errors import ModelError, SettingsError
from fraudstream.model import FOLDER, SavedModel
from fraudstream.model.columns import scoring_stages, try_out, with_model_columns
from fraudstream.model.quality import DEFAULT_THRESHOLD, areas, wilson
from fraudstream.runtime.batch import batch_session
from fraudstream.runtime.table import Table
from fraudstream.schemas import STREAM_COLUMNS, ddl
from fraudstream.settings import Settings
from fraudstream.storage.hadoop import hadoop_glob

SHOWN = 20


@dataclass(frozen=True)
class Backtest:
    """Before and after, transaction by transaction.

    ``rows``: transaction_id, probability_before, probability_after (double), alert_before, alert_after (bool), and
    fraud (bool), if the true labels exist. ``before``, ``after``: model version and threshold in words.
    """

    rows: pd.DataFrame
    before: str
    after: str

    @property
    def changed(self) -> pd.DataFrame:
        """The transactions that become an alert or stop being one, those with the largest change first."""
        differs = self.rows[self.rows.alert_before != self.rows.alert_after]
        change = (differs.probability_after - differs.probability_before).abs()
        return differs.loc[change.sort_values(ascending=False, kind="stable").index]

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        headings = ("", "alerts", "frauds found", "precision", "recall", "area under PR")
        yield repr(Table(headings, [self._figures("before"), self._figures("after")]))
        yield f"before: {self.before}; after: {self.after}; {len(self.rows):,} transactions"
        if "fraud" not in self.rows:
            yield "No true labels (new_fraud_transaction.csv): precision and recall are unknown."
        changed = self.changed
        new = int(changed.alert_after.sum())
        yield f"{new:,} new alerts{self._frauds(changed, True)}, {len(changed) - new:,} no longer alerts" + (
            f"{self._frauds(changed, False)}." if len(changed) else "."
        )
        if len(changed):
            yield repr(Table(("transaction_id", "before", "after", "change", "truth"), list(_changes(changed))))
        if len(changed) > SHOWN:
            yield f"... and {len(changed) - SHOWN:,} more."

    def _figures(self, when: str) -> tuple[str, ...]:
        alert, probability = self.rows[f"alert_{when}"], self.rows[f"probability_{when}"]
        alerts = int(alert.sum())
        if "fraud" not in self.rows:
            return (when, f"{alerts:,}", "", "", "", "")
        fraud = self.rows.fraud
        found = int((alert & fraud).sum())
        area = areas(fraud.to_numpy(), probability.to_numpy())[0][0]
        shares = (_share(found, alerts), _share(found, int(fraud.sum())))
        return (when, f"{alerts:,}", f"{found:,}", *shares, "" if np.isnan(area) else f"{area:.3f}")

    def _frauds(self, changed: pd.DataFrame, after: bool) -> str:
        if "fraud" not in changed:
            return ""
        return f" ({int(changed.fraud[changed.alert_after == after].sum()):,} of them frauds)"


def _share(part: int, count: int) -> str:
    """``part`` of ``count`` with Wilson's 95 % interval."""
    if not count:
        return "none"
    low, high = wilson(part / count, count)
    return f"{part / count:.2f} ({low:.2f} to {high:.2f})"


def _changes(changed: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    for row in changed.head(SHOWN).itertuples():
        truth_ = {True: "fraud", False: "honest"}.get(getattr(row, "fraud", None), "")
        change = "new alert" if row.alert_after else "no longer"
        yield row.transaction_id, f"{row.probability_before:.3f}", f"{row.probability_after:.3f}", change, truth_


def backtest(settings: Settings, model: Path | None = None, threshold: float | None = None) -> Backtest:
    """The stored predictions of ``settings`` against those of ``model`` (None: the stored ones) above ``threshold``.

    ``threshold``: None for the default, at which the model's own prediction counts. Writes nothing. Raises
    SettingsError where both are None or the threshold is not between 0 and 1, OutputError without a run, ModelError for
    a zip that is missing, damaged, or trained for another task.
    """
    if model is None and threshold is None:
        raise SettingsError("Nothing to compare with: name another model (--model) or another threshold (--threshold).")
    if threshold is not None and not 0 < threshold < 1:
        raise SettingsError(f"--threshold {threshold:g}: must be above 0 and below 1.")
    stored = results.predictions(settings)
    saved = None if model is None else SavedModel.open(model)
    if saved:
        saved.match(STREAM_COLUMNS, settings.column_aliases)  # before Spark takes its time to start
    level = DEFAULT_THRESHOLD if threshold is None else threshold
    before = stored.probability.map(lambda each: each[1]).astype(float)
    rows = pd.DataFrame({"transaction_id": stored.transaction_id, "probability_before": before})
    rows["probability_after"] = rows.transaction_id.map(_scores(settings, saved)) if saved else before
    rows["alert_before"], was = _stored_alerts(stored, before)
    rows["alert_after"] = rows.probability_after > level
    frauds = truth(settings.data_dir)
    if frauds is not None:
        rows["fraud"] = rows.transaction_id.isin(frauds)
    versions = stored.get("model_version", pd.Series(dtype=object)).dropna().unique()
    old = f"model {', '.join(versions)}" if len(versions) else "stored predictions"
    return Backtest(rows, f"{old} above {was}", f"{f'model {saved.version}' if saved else old} above {level:g}")


def _stored_alerts(stored: pd.DataFrame, probability: pd.Series) -> tuple[pd.Series, str]:
    """Whether each stored row is an alert by the threshold that is stored with it, and the threshold in words."""
    if "alert_threshold" not in stored:
        return probability > DEFAULT_THRESHOLD, f"{DEFAULT_THRESHOLD:g}"
    levels = stored.alert_threshold.fillna(DEFAULT_THRESHOLD)
    return probability > levels, " or ".join(f"{level:g}" for level in sorted(levels.unique()))


def _scores(settings: Settings, saved: SavedModel) -> dict[str, float]:
    """``scores`` in a Spark of its own."""
    with batch_session(settings, "backtest") as spark:
        return scores(spark, settings, saved)


def scores(spark: SparkSession, settings: Settings, saved: SavedModel) -> dict[str, float]:
    """transaction_id -> probability of fraud by ``saved``, from the newest version of the stored features.

    Scored as in the Task 2 notebook (2.6). Raises ModelError where the model cannot be loaded or cannot predict.
    """
    schema = {**STREAM_COLUMNS, "created_at": SHOP_TIME, "batch_id": "bigint"}
    files = spark.read.schema(ddl(schema)).parquet(hadoop_glob(settings.predictions))
    newest = F.max_by(F.struct(*STREAM_COLUMNS), "batch_id").alias("newest")
    features = files.groupBy("transaction_id").agg(newest).select("newest.*")
    matched = saved.match(dict(features.dtypes), settings.column_aliases)
    with TemporaryDirectory() as folder, zipfile.ZipFile(saved.path) as archive:
        target = Path(folder) / "model"
        archive.extractall(saved.fresh_folder(target))
        try:
            model = PipelineModel.load(hadoop_glob(target / FOLDER))
        except (PySparkException, Py4JJavaError) as error:
            raise ModelError(f"{saved.path}: Spark cannot load it. Save the model and zip it again.") from error
    scoring = scoring_stages(model, matched)
    try_out(scoring, matched, features)
    scored = scoring.transform(with_model_columns(features, matched))
    return dict(scored.select("row.transaction_id", vector_to_array("probability")[1]).collect())
