"""The accuracy of the predictions so far, from the labels that have become available: the evaluation, beyond the sheet.

The only reader of the topic fraud_labels. A thread follows the labels and the committed micro-batches of the stored
predictions, and joins them by transaction_id; the newest prediction counts, and the latest label.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime

import pandas as pd

from fraudstream.data.readable import id_text, message_list, row_of
from fraudstream.data.rules import clean
from fraudstream.errors import Note
from fraudstream.kafka.client import client_options, ensure_topics
from fraudstream.kafka.follower import FINISH_S, Follower, NewMessages
from fraudstream.model import SavedModel
from fraudstream.schemas import LABEL_TOPIC, PREDICTIONS
from fraudstream.settings import MELBOURNE, Settings
from fraudstream.stream.accuracy import Accuracy
from fraudstream.stream.checkpoint import last_committed_batch
from fraudstream.stream.store import batch_number, batches_between, read_batch

WINDOW_S, WINDOWS_SHOWN = 120, 5
# the figures are computed anew at most this often: with 100,000 labels that takes half a second
COMPUTED_EVERY_S = 10
HEADINGS = ["transactions", "labelled", "frauds", "flagged", "precision", "recall", "area under PR"]


class LiveAccuracy:
    """Follows labels and predictions from a thread of its own, one per kernel; nothing waits for it."""

    _current: "LiveAccuracy | None" = None

    def __init__(
        self, settings: Settings, saved: SavedModel, note: Note = print, clock: Callable[[], float] = time.time
    ) -> None:
        if LiveAccuracy._current is not None:  # the cell that makes it was run again
            LiveAccuracy._current.finish(0)
        LiveAccuracy._current = self
        self._settings, self._clock = settings, clock
        self.trained = _trained(saved)
        self._messages, self._connected = NewMessages(settings, LABEL_TOPIC), False
        self._in_turn = threading.Lock()
        self._labels: dict[str, tuple[bool, int]] = {}  # transaction_id -> is_fraud, label_available_at
        self._predicted: dict[str, tuple[int, float, bool]] = {}  # transaction_id -> ts, probability, prediction = 1
        self._position, self._ended, self._next_at = -1, False, 0.0
        self._follower = Follower("live accuracy", self._read_new, self._disconnect)
        self._follower.start("Labels cannot be read: {}. The predictions continue; the accuracy follows.", note)

    def finish(self, wait_s: float = FINISH_S) -> None:
        """Reads what is left, and ends the thread. From here on, every label that was read counts."""
        self._follower.finish(wait_s)
        self._ended = True

    def labelled(self) -> pd.DataFrame:
        """The predicted transactions whose label is available now: columns transaction_id, ts (Unix seconds),
        probability, flagged and fraud (bool).
        """
        now = float("inf") if self._ended else self._clock()
        with self._in_turn:
            rows = [
                (key, *self._predicted[key], fraud)
                for key, (fraud, available_at) in self._labels.items()
                if available_at <= now and key in self._predicted
            ]
        return pd.DataFrame(rows, columns=["transaction_id", "ts", "probability", "flagged", "fraud"])

    def accuracy(self) -> Accuracy:
        """The figures of all labelled transactions so far."""
        return _accuracy(self.labelled())

    def shown(self) -> tuple[pd.DataFrame, str]:
        """``table`` and ``verdict``, computed at most every ten seconds until ``finish``."""
        if self._ended or time.monotonic() >= self._next_at:
            rows = self.labelled()
            self._shown = self.table(rows), self.verdict(_accuracy(rows))
            self._next_at = time.monotonic() + COMPUTED_EVERY_S
        return self._shown

    def table(self, rows: pd.DataFrame) -> pd.DataFrame:
        """HEADINGS: the training, all ``labelled`` rows, and the newest windows of two minutes (by ts)."""
        lines = [_line("training, held out", self.trained)] if self.trained else []
        lines.append(_line("all so far", _accuracy(rows)))
        starts = rows.ts // WINDOW_S * WINDOW_S
        for start in sorted(starts.unique(), reverse=True)[:WINDOWS_SHOWN]:
            lines.append(_line(_clock(start), _accuracy(rows[starts == start])))
        return pd.DataFrame(lines, columns=HEADINGS)

    def verdict(self, now: Accuracy) -> str:
        """One sentence: which figures are significantly lower than those of the training."""
        if self._follower.waiting:
            return f"Labels cannot be read: {self._follower.waiting}."
        if not now.labelled:
            return "No label has become available yet."
        if self.trained is None:
            return "The training's figures are not known (no metrics.json of this model)."
        lower = now.lower_than(self.trained)
        return (
            f"Significantly lower than in training: {', '.join(lower)}."
            if lower
            else "No figure is significantly lower than in training."
        )

    def _read_new(self) -> None:
        if not self._connected:
            ensure_topics(client_options(self._settings), (LABEL_TOPIC,))
            self._connected = True
        records = self._messages.poll_all() if self._follower.last else self._messages.poll()
        rows = [row for record in records for row in map(row_of, message_list(record.value) or ()) if row is not None]
        labels = {
            clean(id_text(row.get("transaction_id")) or ""): (
                row.get("is_fraud") is True,
                row.get("label_available_at"),
            )
            for row in rows
        }
        with self._in_turn:
            self._labels.update((key, label) for key, label in labels.items() if key and isinstance(label[1], int))
        self._read_predictions()

    def _read_predictions(self) -> None:
        newest = last_committed_batch(self._settings.checkpoints / PREDICTIONS)
        for file in batches_between(self._settings.predictions, self._position, -1 if newest is None else newest):
            rows = read_batch(file, ["transaction_id", "ts", "probability", "prediction"]).to_pylist()
            with self._in_turn:
                for row in rows:
                    predicted = row["ts"], row["probability"][1], row["prediction"] == 1
                    self._predicted[row["transaction_id"]] = predicted
            self._position = batch_number(file)

    def _disconnect(self) -> None:
        self._messages.close()
        self._connected = False


def _trained(saved: SavedModel) -> Accuracy | None:
    """The figures that the training stored for this model; None if they are not known."""
    figures = saved.figures
    return figures and Accuracy.trained(*(figures[name] for name in ("tp", "fp", "fn", "tn", "area_under_pr")))


def _accuracy(rows: pd.DataFrame) -> Accuracy:
    columns = (("probability", float), ("flagged", bool), ("fraud", bool))
    return Accuracy.of(*(rows[name].to_numpy().astype(type_) for name, type_ in columns))


def _clock(start: int) -> str:
    """The window that begins at ``start`` (Unix seconds), in Melbourne time."""
    begin, end = (f"{datetime.fromtimestamp(each, MELBOURNE):%H:%M}" for each in (start, start + WINDOW_S))
    return f"sent {begin} to {end}"


def _line(what: str, accuracy: Accuracy) -> tuple:
    figures = (str(each) for each in (accuracy.precision, accuracy.recall, accuracy.area))
    return what, accuracy.labelled, accuracy.frauds, accuracy.flagged, *figures
