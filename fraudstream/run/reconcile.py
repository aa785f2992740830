"""The account of a run: every transaction that was sent is predicted, or it is said why not."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from fraudstream.data import csv_files
from fraudstream.errors import OutputError
from fraudstream.kafka.topic_reader import Row, RowPosition, read_messages, read_rows
from fraudstream.schemas import BROWSING_TOPIC, LATENESS_S, PREDICTIONS, TOPICS, TRANSACTION_TOPIC
from fraudstream.settings import Settings
from fraudstream.storage import AnyPath
from fraudstream.stream.checkpoint import read_up_to
from fraudstream.stream.store import batch_files, read_batch


@dataclass(frozen=True)
class Reconciliation:
    """What was sent, what became of it, how fast and how well; transactions are counted by transaction_id.

    transactions_sent = predicted + late + unmatched + quarantined_transactions + unread + lost. quarantined counts all
    rows of both topics that could not be read, and the messages that are no list of rows. unread were sent after the
    stream had stopped. conflicts are ids that came again with other values: within a minute the first row counts, later
    the newest prediction does. imputed are the predicted ones of which the model did not know a value. A positive is
    a prediction of fraud; true and false say what new_fraud_transaction.csv says of it.
    """

    batches: int
    events: int
    transactions_sent: int
    predicted: int
    late: int
    unmatched: int
    quarantined: int
    quarantined_transactions: int
    unread: int
    lost: int
    conflicts: int
    frauds: int
    imputed: int
    seconds_p50: float | None
    seconds_p95: float | None
    true_positives: int | None
    false_positives: int | None
    false_negatives: int | None
    precision: float | None
    recall: float | None
    unmatched_transactions: list[str] = field(default_factory=list, repr=False)
    lost_transactions: list[str] = field(default_factory=list, repr=False)
    conflicting_transactions: list[str] = field(default_factory=list, repr=False)

    @property
    def complete(self) -> bool:
        """Whether every transaction sent is predicted or accounted for."""
        return self.lost == self.unread == 0

    def rows(self) -> list[tuple[str, str]]:
        """What a person wants to read, as (name, value)."""
        unit = {"seconds_p50": " s", "seconds_p95": " s"}
        return [
            (name.replace("_", " "), "not known" if value is None else f"{value:,}{unit.get(name, '')}")
            for name, value in asdict(self).items()
            if not isinstance(value, list)
        ]

    def _repr_html_(self) -> str:
        return pd.DataFrame(self.rows(), columns=["", "value"]).to_html(index=False, border=0, justify="left")

    def write(self, path: Path) -> None:
        """Writes the summary as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def reconcile(settings: Settings, client: dict) -> Reconciliation:
    """Compares the topics with the predictions. ``client`` holds the options of a Kafka client.

    Raises OutputError when there are predictions of transactions that the topics do not hold.
    """
    batches = sum(1 for _ in read_messages(client, BROWSING_TOPIC))
    events = sum(1 for _ in read_rows(client, BROWSING_TOPIC))
    sent: dict[str, Row] = {}
    conflicts = set()
    for row in read_rows(client, TRANSACTION_TOPIC):
        first = sent.setdefault(row.transaction_id, row)
        if {**first.values, "ts": None} != {**row.values, "ts": None}:
            conflicts.add(row.transaction_id)
    predictions = newest_predictions(settings.predictions)
    strangers = set(predictions.index) - set(sent)
    if strangers:
        raise OutputError(
            f"{settings.predictions} holds {len(strangers)} transactions that {TRANSACTION_TOPIC} does not: they "
            "are of another replay. Start afresh: python -m fraudstream reset"
        )
    rejected = _rejected(settings.quarantine)
    missing = {key: row for key, row in sent.items() if key not in predictions.index}
    quarantined = {key for key, row in missing.items() if row.position in rejected[TRANSACTION_TOPIC]}
    late = {key for key, row in missing.items() if row.late} - quarantined
    rest = {key: row for key, row in missing.items() if key not in quarantined | late}
    unmatched = rest.keys() - _matched(rest, client, settings.lookback_s, rejected[BROWSING_TOPIC])
    read = read_up_to(settings.checkpoints / PREDICTIONS, TRANSACTION_TOPIC)
    unread = {key for key, row in rest.items() if read is not None and row.position[1] >= read.get(row.position[0], 0)}
    unmatched -= unread
    lost = rest.keys() - unmatched - unread
    seconds = predictions.seconds.to_numpy()
    return Reconciliation(
        batches=batches,
        events=events,
        transactions_sent=len(sent),
        predicted=len(predictions),
        late=len(late),
        unmatched=len(unmatched),
        quarantined=sum(len(places) for places in rejected.values()),
        quarantined_transactions=len(quarantined),
        unread=len(unread),
        lost=len(lost),
        conflicts=len(conflicts),
        frauds=int((predictions.prediction == 1).sum()),
        imputed=int(predictions.imputed.sum()),
        seconds_p50=round(float(np.percentile(seconds, 50)), 3) if len(seconds) else None,
        seconds_p95=round(float(np.percentile(seconds, 95)), 3) if len(seconds) else None,
        **_against_truth(predictions, settings.data_dir),
        unmatched_transactions=sorted(unmatched),
        lost_transactions=sorted(lost),
        conflicting_transactions=sorted(conflicts),
    )


def newest_predictions(folder: AnyPath) -> pd.DataFrame:
    """By transaction_id: of the newest one prediction, imputed (whether the model did not know a value) and batch_id;
    seconds (from ts to the first one's file).
    """
    columns = ["transaction_id", "ts", "prediction", "imputed", "batch_id"]
    batches = []
    for file in batch_files(folder):
        table = read_batch(file, columns)
        imputed = pc.greater(pc.list_value_length(table["imputed"]), 0).to_numpy()
        batch = table.drop_columns("imputed").to_pandas().assign(imputed=imputed)
        batch["seconds"] = file.stat().st_mtime - batch.ts
        batches.append(batch)
    found = pd.concat(batches) if batches else pd.DataFrame(columns=[*columns, "seconds"])
    found = found.sort_values("batch_id").groupby("transaction_id")
    newest = found[["prediction", "imputed", "batch_id"]].last()
    return newest.assign(seconds=found.seconds.first())


def _rejected(folder: AnyPath) -> dict[str, set[RowPosition]]:
    """Topic -> places of its quarantined rows (position 0 for a message that is no list)."""
    places: dict[str, set[RowPosition]] = {topic: set() for topic in TOPICS}
    for file in batch_files(folder):
        table = read_batch(file, ["topic", "partition", "offset", "position"])
        for topic, *place in zip(*table.to_pydict().values(), strict=True):
            places[topic].add(tuple(place))
    return places


def _matched(transactions: dict[str, Row], client: dict, lookback_s: int, unreadable: set[RowPosition]) -> set[str]:
    """Of ``transactions`` those with an event in their session, not after the checkout, in time and remembered.

    ``unreadable``: the places of the events that were quarantined.
    """
    by_session: dict[str, list[str]] = {}
    for key, row in transactions.items():
        by_session.setdefault(row.values.get("session_id"), []).append(key)
    matched = set()
    for event in read_rows(client, BROWSING_TOPIC) if by_session else ():
        if event.position in unreadable:
            continue
        for key in by_session.get(event.values.get("session_id"), ()):
            row = transactions[key]
            remembered = row.ts - lookback_s <= event.ts <= row.ts + LATENESS_S
            before = _moment(event.values["event_time"]) <= _moment(row.values["created_at"])
            if remembered and before and not event.late:
                matched.add(key)
    return matched


def _moment(text: str) -> pd.Timestamp:
    """A time of the shop's clock; a zone behind it is left out, as in the stream."""
    return pd.Timestamp(text).tz_localize(None)


def _against_truth(predictions: pd.DataFrame, data_dir: Path) -> dict[str, int | float | None]:
    """Of the predictions against new_fraud_transaction.csv: how many of each kind, precision, recall.

    None where they can't be told.
    """
    names = ("true_positives", "false_positives", "false_negatives", "precision", "recall")
    frauds = csv_files.truth(data_dir)
    if frauds is None or predictions.empty:
        return dict.fromkeys(names)
    actual = predictions.index.isin(frauds)
    said = (predictions.prediction == 1).to_numpy()
    found, false_alarms, missed = (int(each.sum()) for each in (actual & said, said & ~actual, actual & ~said))
    precision = round(found / (found + false_alarms), 4) if said.any() else None
    recall = round(found / (found + missed), 4) if actual.any() else None
    return dict(zip(names, (found, false_alarms, missed, precision, recall), strict=True))
