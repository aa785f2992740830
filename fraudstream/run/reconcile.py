"""Reconciliation of a run: every transaction that was sent is predicted, or listed with the reason."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from fraudstream.data import csv_files
from fraudstream.data.rules import parse
from fraudstream.errors import OutputError
from fraudstream.kafka.topic_reader import RowPosition, TopicRow, read_messages, read_rows
from fraudstream.run.reconciliation import Reconciliation
from fraudstream.schemas import BROWSING_TOPIC, PREDICTIONS, REPORTS, TOPICS, TRANSACTION_TOPIC, WATERMARK_DELAY_S
from fraudstream.settings import Settings
from fraudstream.storage.hadoop import AnyPath
from fraudstream.stream.checkpoint import committed_offsets, last_committed_batch
from fraudstream.stream.recount import wrong_windows
from fraudstream.stream.store import batch_files, batch_number, read_batch


def reconcile(settings: Settings, client: dict) -> Reconciliation:
    """Compares the topics with the predictions, and these with the reports; writes summary.json.

    ``client``: the options of a Kafka client. Raises OutputError if there are predictions of transactions that the
    topics do not hold, or if the summary cannot be written.
    """
    predictions = newest_predictions(settings.predictions)
    rejected = _rejected(settings.quarantine)
    sent, conflicts = _sent(client, rejected[TRANSACTION_TOPIC])
    _require_same_replay(predictions, sent, settings)
    missing = {key: row for key, row in sent.items() if key not in predictions.index}
    reasons = _reasons(missing, rejected, settings, client)
    wrong = _wrong_windows(settings)
    reconciliation = Reconciliation(
        batches=sum(1 for _ in read_messages(client, BROWSING_TOPIC)),
        events=sum(1 for _ in read_rows(client, BROWSING_TOPIC)),
        transactions_sent=len(sent),
        predicted=len(predictions),
        **{reason: len(keys) for reason, keys in reasons.items()},
        quarantined=sum(len(places) for places in rejected.values()),
        conflicts=len(conflicts),
        frauds=int((predictions.prediction == 1).sum()),
        **_models(predictions),
        imputed=int(predictions.imputed.sum()),
        seconds_p50=_percentile(predictions.seconds, 50),
        seconds_p95=_percentile(predictions.seconds, 95),
        **_against_truth(predictions, settings.data_dir),
        reports_wrong=None if wrong is None else len(wrong),
        unmatched_transactions=sorted(reasons["unmatched"]),
        lost_transactions=sorted(reasons["lost"]),
        conflicting_transactions=sorted(conflicts),
        wrong_windows=wrong or [],
    )
    reconciliation.write(settings.output_dir / "summary.json")
    return reconciliation


def _sent(client: dict, rejected: set[RowPosition]) -> tuple[dict[str, TopicRow], set[str]]:
    """The row sent of each transaction_id, and the ids that were sent again with other values.

    Of several, the first that the stream could use counts: the quarantine of one does not explain the loss of another.
    """
    first: dict[str, TopicRow] = {}
    usable: dict[str, TopicRow] = {}
    conflicts = set()
    for row in read_rows(client, TRANSACTION_TOPIC, rejected):
        key = row.transaction_id
        if {**first.setdefault(key, row).values, "ts": None} != {**row.values, "ts": None}:
            conflicts.add(key)
        if not row.late and row.position not in rejected:
            usable.setdefault(key, row)
    return first | usable, conflicts


def _require_same_replay(predictions: pd.DataFrame, sent: dict[str, TopicRow], settings: Settings) -> None:
    strangers = set(predictions.index) - set(sent)
    if strangers:
        raise OutputError(
            f"{settings.predictions} holds {len(strangers)} transactions that are not in {TRANSACTION_TOPIC}: they "
            "belong to another replay. Start over: python -m fraudstream reset"
        )


def _reasons(
    missing: dict[str, TopicRow], rejected: dict[str, set[RowPosition]], settings: Settings, client: dict
) -> dict[str, set[str]]:
    """Reason -> the transactions that have no prediction for this reason; each has exactly one reason."""
    quarantined = {key for key, row in missing.items() if row.position in rejected[TRANSACTION_TOPIC]}
    late = {key for key, row in missing.items() if row.late} - quarantined
    rest = {key: row for key, row in missing.items() if key not in quarantined | late}
    committed = committed_offsets(settings.checkpoints / PREDICTIONS) or {}
    read = committed.get(TRANSACTION_TOPIC)
    unread = {key for key, row in rest.items() if read is not None and row.position[1] >= read.get(row.position[0], 0)}
    matched = _matched(rest, client, settings.lookback_s, rejected[BROWSING_TOPIC])
    return {
        "late": late,
        "unmatched": rest.keys() - matched - unread,
        "quarantined_transactions": quarantined,
        "unread": unread,
        "lost": matched - unread,
    }


def _wrong_windows(settings: Settings) -> list[str] | None:
    """The report windows that do not match the predictions; None before the first report."""
    begun = any(last_committed_batch(settings.checkpoints / report) is not None for report in REPORTS)
    return wrong_windows(settings.reports, settings.predictions) if begun else None


def _percentile(seconds: pd.Series, percent: int) -> float | None:
    return round(float(np.percentile(seconds.to_numpy(), percent)), 3) if len(seconds) else None


def newest_predictions(folder: AnyPath) -> pd.DataFrame:
    """By transaction_id: prediction, imputed (whether a value was unknown to the model), model_version and batch_id of
    the newest prediction; seconds (from ts to the first prediction's file).
    """
    columns = ["transaction_id", "ts", "prediction", "imputed"]
    batches = []
    for file in batch_files(folder):
        table = read_batch(file, columns, added=["model_version"])
        imputed = pc.greater(pc.list_value_length(table["imputed"]), 0).to_numpy()
        batch = table.drop_columns("imputed").to_pandas().assign(imputed=imputed)
        batch["batch_id"] = batch_number(file)
        batch["seconds"] = file.stat().st_mtime - batch.ts
        batches.append(batch)
    found = pd.concat(batches) if batches else pd.DataFrame(columns=[*columns, "model_version", "batch_id", "seconds"])
    found = found.sort_values("batch_id").groupby("transaction_id")
    newest = found[["prediction", "imputed", "model_version", "batch_id"]].last()
    return newest.assign(seconds=found.seconds.first())


def _models(predictions: pd.DataFrame) -> dict[str, str | dict[str, int] | None]:
    """model_version: of the newest micro-batch; model_versions: version -> transactions that it has predicted newest.

    None and empty for predictions of an earlier release, which has not stored it.
    """
    known = predictions[predictions.model_version.notna()].sort_values("batch_id")
    counts = known.model_version.value_counts(sort=False)
    return {
        "model_version": known.model_version.iloc[-1] if len(known) else None,
        "model_versions": {version: int(count) for version, count in counts.items()},
    }


def _rejected(folder: AnyPath) -> dict[str, set[RowPosition]]:
    """Topic -> positions of its quarantined rows (position 0 for a message that is not a list)."""
    places: dict[str, set[RowPosition]] = {topic: set() for topic in TOPICS}
    for file in batch_files(folder):
        table = read_batch(file, ["topic", "partition", "offset", "position"])
        for topic, *place in zip(*table.to_pydict().values(), strict=True):
            places[topic].add(tuple(place))
    return places


def _matched(
    transactions: dict[str, TopicRow], client: dict, lookback_s: int, unreadable: set[RowPosition]
) -> set[str]:
    """The ``transactions`` with an event in their session: not after the checkout, in time, within the lookback.

    ``unreadable``: the positions of the quarantined events.
    """
    by_session: dict[str, list[str]] = {}
    for key, row in transactions.items():
        by_session.setdefault(row.session_id, []).append(key)
    matched = set()
    for event in read_rows(client, BROWSING_TOPIC, unreadable) if by_session else ():
        if event.position in unreadable:
            continue
        for key in by_session.get(event.session_id, ()):
            row = transactions[key]
            remembered = row.ts - lookback_s <= event.ts <= row.ts + WATERMARK_DELAY_S
            if remembered and _before(event, row) and not event.late:
                matched.add(key)
    return matched


def _before(event: TopicRow, transaction: TopicRow) -> bool:
    """Whether the event is not after the checkout; False for a time that the stream, too, will not be able to read."""
    texts = event.values.get("event_time"), transaction.values.get("created_at")
    times = [parse(text, "timestamp") if isinstance(text, str) else None for text in texts]
    return None not in times and times[0] <= times[1]


def _against_truth(predictions: pd.DataFrame, data_dir: Path) -> dict[str, int | float | None]:
    """The predictions against new_fraud_transaction.csv: counts of each kind, precision, recall; None if unknown."""
    names = ("true_positives", "false_positives", "false_negatives", "precision", "recall")
    frauds = csv_files.truth(data_dir)
    if frauds is None or predictions.empty:
        return dict.fromkeys(names)
    actual = predictions.index.isin(frauds)
    alarms = (predictions.prediction == 1).to_numpy()
    found, false_alarms, missed = (int(each.sum()) for each in (actual & alarms, alarms & ~actual, actual & ~alarms))
    precision = round(found / (found + false_alarms), 4) if alarms.any() else None
    recall = round(found / (found + missed), 4) if actual.any() else None
    return dict(zip(names, (found, false_alarms, missed, precision, recall), strict=True))
