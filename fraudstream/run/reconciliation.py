"""The result of a reconciliation: what was sent, what became of it, how fast and how well."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fraudstream.runtime.table import Table
from fraudstream.storage.folders import make, writing_to

MEANINGS = {
    "batches": "messages of the browsing topic",
    "events": "browsing rows sent",
    "transactions sent": "ids sent; the sum of predicted, late, unmatched, quarantined, unread and lost",
    "predicted": "transactions with a prediction",
    "late": "sent more than a minute behind the newest ts, and discarded (2.4b)",
    "unmatched": "no event of their session before the checkout",
    "quarantined": "unreadable rows of both topics, with the reason in output/quarantine",
    "quarantined transactions": "transactions among them",
    "unread": "sent after the stream had stopped; the next run of Task 2 continues with them",
    "lost": "neither predicted nor explained: must be 0",
    "conflicts": "ids that were sent again with other values",
    "frauds": "prediction = 1, by the newest prediction",
    "model version": "the model of the newest prediction: the start of its zip's SHA-256",
    "imputed": "predicted with a value that the model does not know",
    "seconds p50": "latency of the whole run: from ts to the readable prediction, half of the transactions within",
    "seconds p95": "the same, 95 % within",
    "true positives": "flagged and fraud by the labels",
    "false positives": "flagged, but honest: false alarms",
    "false negatives": "frauds that were missed",
    "precision": "frauds among the flagged",
    "recall": "flagged among the frauds",
    "reports wrong": "windows of the reports that differ from the predictions: must be 0",
}


@dataclass(frozen=True, repr=False)
class Reconciliation:
    """The counts of a run, its latency and its quality; transactions are counted by transaction_id.

    transactions_sent = predicted + late + unmatched + quarantined_transactions + unread + lost. quarantined counts all
    unreadable rows of both topics, and the messages that are not a list of rows. unread were sent after the stream had
    stopped. conflicts are ids that were sent again with other values: within a minute the first row counts, later the
    newest prediction. imputed are the predicted ones with a value unknown to the model. A positive is a prediction of
    fraud; true and false are according to new_fraud_transaction.csv. reports_wrong are the windows of the reports that
    differ from the predictions (None: no report has been written yet). model_version is the model of the newest
    prediction; model_versions counts the transactions by the model that made their newest prediction.
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
    model_version: str | None
    imputed: int
    seconds_p50: float | None
    seconds_p95: float | None
    true_positives: int | None
    false_positives: int | None
    false_negatives: int | None
    precision: float | None
    recall: float | None
    reports_wrong: int | None
    unmatched_transactions: list[str] = field(default_factory=list)
    lost_transactions: list[str] = field(default_factory=list)
    conflicting_transactions: list[str] = field(default_factory=list)
    wrong_windows: list[str] = field(default_factory=list)
    model_versions: dict[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every transaction sent is predicted or accounted for, and the reports agree with the predictions."""
        return self.lost == self.unread == 0 and not self.reports_wrong

    @property
    def verdict(self) -> str:
        """One sentence: whether every transaction is accounted for."""
        if self.complete:
            return "Every transaction is accounted for."
        gaps = {"lost": self.lost, "not read yet": self.unread}
        parts = [f"{count:,} transactions {what}" for what, count in gaps.items() if count]
        parts += [f"{self.reports_wrong:,} report windows differ"] if self.reports_wrong else []
        return f"NOT COMPLETE: {', '.join(parts)}."

    def rows(self) -> list[tuple[str, str]]:
        """The figures for display, as (name, value)."""
        unit = {"seconds_p50": " s", "seconds_p95": " s"}
        return [
            (name.replace("_", " "), _shown(value, unit.get(name, "")))
            for name, value in asdict(self).items()
            if not isinstance(value, list | dict)
        ]

    def table(self) -> Table:
        """The figures, each with its meaning, and the verdict."""
        rows = [(name, value, MEANINGS[name]) for name, value in self.rows()]
        return Table(("", "value", "meaning"), rows, [self.verdict])

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def write(self, path: Path) -> None:
        """Writes the summary as JSON."""
        with writing_to(make(path.parent)):
            path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def _shown(value: str | float | None, unit: str) -> str:
    if value is None:
        return "not known"
    return value if isinstance(value, str) else f"{value:,}{unit}"
