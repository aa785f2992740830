"""Current health of the stream: state, consumer lag, input rate, latency, and the latest alerts."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd
from pyspark.sql.streaming.query import StreamingQuery

from fraudstream.model.explain.reasons import Reason
from fraudstream.model.explain.words import in_words
from fraudstream.model.saved import metrics_of
from fraudstream.schemas import BROWSING_TOPIC, PREDICTIONS
from fraudstream.settings import MELBOURNE, Settings
from fraudstream.storage.hadoop import AnyPath
from fraudstream.stream.checkpoint import committed_offsets
from fraudstream.stream.explanations import EXPLANATION_COLUMNS, stored_alerts
from fraudstream.stream.feature_drift import FeatureDrift
from fraudstream.stream.lag import TopicEnds, consumer_lag
from fraudstream.stream.progress import COLUMNS, QueryProgress
from fraudstream.stream.store import batch_file, batch_files, batch_number, read_batch

RECENT_BATCHES, ALERTS = 60, 20
HEADLINE_S = 120
IDLE_AFTER_S = 10
# a batch is two messages: more batches of lag than one micro-batch can explain
BEHIND_MESSAGES = 10
STORED = ["transaction_id", "customer_id", "total_amount", "ts", "probability", "prediction", "imputed"]
# of the reasons stored, the strongest are shown
REASONS_SHOWN = 3


@dataclass(frozen=True)
class Snapshot:
    """A snapshot for display. ``alerts``: newest first. ``queries``: COLUMNS, one row per query."""

    state: str
    detail: str
    facts: dict[str, str]
    headline: str
    alerts: pd.DataFrame
    queries: pd.DataFrame
    failed: bool = False


@dataclass
class _Predicted:
    """Figures from the predictions' files, each read once."""

    batches: set[int] = field(default_factory=set)
    newest: dict[str, tuple[int, bool]] = field(default_factory=dict)  # transaction_id -> ts, fraud
    imputed: set[str] = field(default_factory=set)
    seconds: deque = field(default_factory=lambda: deque(maxlen=RECENT_BATCHES))
    alerts: deque = field(default_factory=lambda: deque(maxlen=ALERTS))
    alerted: set[str] = field(default_factory=set)
    model: str = "none yet"


class StreamMonitor:
    """Follows the queries of Task 2 and their output. Call ``refresh`` from one thread only.

    Counts cover everything on disk, except late rows, which Spark reports per session; rates and lag are current.
    """

    def __init__(self, settings: Settings, client: dict, clock: Callable[[], float] = time.time) -> None:
        """``client``: options of a Kafka client, as ``client_options`` gives them."""
        self._settings, self._clock = settings, clock
        self._queries: dict[str, QueryProgress] = {}
        self._ends = TopicEnds(client)
        self._predicted = _Predicted()
        self._rejected: dict[int, int] = {}  # batch -> rows
        self._last_read_batch: int | None = None
        metrics = metrics_of(settings.model) or {}
        self._drift = FeatureDrift(metrics.get("features"))
        self._drift_columns = [name for name in self._drift.columns if name not in STORED]
        self.started_at = clock()

    def watch(self, query: StreamingQuery) -> None:
        """Adds a query; it replaces an earlier one of the same name."""
        self._queries[query.name] = QueryProgress(query)

    def refresh(self) -> Snapshot:
        """Reads what is new since the last call: progress of each query, ends of the topics, files of predictions."""
        for query in list(self._queries.values()):
            query.refresh()
        self._ends.refresh()
        self._read_predictions()
        self._count_rejected()
        state, detail = self._state()
        rows = pd.DataFrame([query.row() for query in list(self._queries.values())], columns=list(COLUMNS))
        return Snapshot(
            state,
            detail,
            self._facts(),
            self._headline(),
            self._alerts(),
            rows.astype(COLUMNS),
            failed=any(query.failure for query in self._queries.values()),
        )

    @property
    def lag(self) -> int | None:
        """Messages of both topics that no finished micro-batch has read; None while Kafka does not answer."""
        if not self._ends.ends:
            return None
        main = self._queries.get(PREDICTIONS)
        committed = (main.offsets if main else None) or committed_offsets(self._settings.checkpoints / PREDICTIONS)
        return consumer_lag(self._ends.ends, committed or {})

    @property
    def quiet_s(self) -> float:
        """Seconds since a message arrived or a micro-batch with rows ended, whichever is later."""
        main = self._queries.get(PREDICTIONS)
        return self._clock() - max(self.started_at, self._ends.changed_at, main.changed_at if main else 0)

    @property
    def busy(self) -> bool:
        """Whether messages wait to be read."""
        return bool(self.lag)

    def _state(self) -> tuple[str, str]:
        failures = [query.failure for query in self._queries.values() if query.failure]
        main = self._queries.get(PREDICTIONS)
        if failures:  # Spark takes another Kafka's shorter topics for lost data
            another = self._ends.another
            return "stopped", f"{another}. Start ours, then run this notebook again" if another else failures[0]
        if main is None:
            return "not started", "the predictions' query is started in 2.6"
        if not main.active:
            return "stopped", f"since {_time(main.stopped_at)}; {self._waiting()}"
        silent = [name for name, query in self._queries.items() if not query.active]
        if silent:
            return "partly stopped", f"{', '.join(silent)}: run the cell again that starts it"
        if self._ends.away_since:
            return "waiting for Kafka", f"{self._ends.another or 'no answer'} since {_time(self._ends.away_since)}"
        if not self._ends.messages():
            return "waiting", "nothing was sent yet: run Task 1"
        if (self.lag or 0) > BEHIND_MESSAGES:
            return "catching up", self._waiting()
        if self.quiet_s > IDLE_AFTER_S:
            since = self._clock() - self.quiet_s
            return "idle", f"no message for {_duration(self.quiet_s)}, since {_time(since)}"
        return "running", self._waiting()

    def _waiting(self) -> str:
        lag = self.lag
        return "lag unknown" if lag is None else f"{lag:,} messages behind" if lag else "no lag"

    def _facts(self) -> dict[str, str]:
        main = self._queries.get(PREDICTIONS)
        seconds = np.concatenate(self._predicted.seconds) if self._predicted.seconds else np.array([])
        p50, p95 = (f"{np.percentile(seconds, p):.1f} s" if len(seconds) else "none yet" for p in (50, 95))
        sent = self._ends.messages(BROWSING_TOPIC)
        return {
            "batches sent": "unknown" if sent is None else f"{sent:,}",
            "predicted": f"{len(self._predicted.newest):,}",
            "late": f"{main.late if main else 0:,}",
            "quarantined": f"{sum(self._rejected.values()):,}",
            "imputed": f"{len(self._predicted.imputed):,}",
            "latency, median of 60 micro-batches": p50,
            "latency, 95 % of 60 micro-batches": p95,
            "model": self._predicted.model,
            **({"drift": drift} if (drift := self._drift.text(self._clock())) else {}),
        }

    def _headline(self) -> str:
        """Frauds among the transactions sent in the last two minutes; none long after the last message."""
        since = self._clock() - HEADLINE_S
        recent = [fraud for ts, fraud in reversed(list(self._predicted.newest.values())) if ts > since]
        share = f", {sum(recent) / len(recent):.1%} of {len(recent):,} transactions" if recent else ": no transaction"
        return f"{sum(recent):,} flagged in the last 2 minutes{share}"

    def _alerts(self) -> pd.DataFrame:
        columns = ["time", "transaction_id", "customer_id", "amount", "probability", "reasons"]
        return pd.DataFrame(reversed(self._predicted.alerts), columns=columns)

    def _read_predictions(self) -> None:
        """Reads new files; all files at the first call."""
        seen = self._predicted
        new = {batch_number(file): file for file in self._new_files()}
        for _, file in sorted(new.items()):
            table = read_batch(file, STORED, added=(*EXPLANATION_COLUMNS, *self._drift_columns))
            self._drift.add(table)
            rows = zip(table.to_pylist(), stored_alerts(table), strict=True)
            for row, alert in sorted(rows, key=lambda each: each[0]["ts"]):
                key = row["transaction_id"]
                seen.newest.pop(key, None)
                seen.newest[key] = (row["ts"], row["prediction"] == 1)
                (seen.imputed.add if row["imputed"] else seen.imputed.discard)(key)
                if alert and key not in seen.alerted:
                    seen.alerts.append(_alert(row))
                (seen.alerted.add if alert else seen.alerted.discard)(key)
            seen.model = table["model_version"][0].as_py() or "unknown"
            seen.seconds.append(file.stat().st_mtime - table["ts"].to_numpy())
            seen.batches.add(batch_number(file))

    def _new_files(self) -> list[AnyPath]:
        """Lists the folder at the first call; then looks files up by number, so that the cost stays constant."""
        main, folder = self._queries.get(PREDICTIONS), self._settings.predictions
        newest = main.newest.batchId if main and main.newest else None
        if self._last_read_batch is None or newest is None:
            found = list(batch_files(folder, known=self._predicted.batches))
        else:
            new = set(range(self._last_read_batch + 1, newest + 1)) - self._predicted.batches
            found = [file for file in (batch_file(folder, number) for number in new) if file.exists()]
        self._last_read_batch = newest
        return found

    def _count_rejected(self) -> None:
        for file in batch_files(self._settings.quarantine, known=self._rejected):
            self._rejected[batch_number(file)] = read_batch(file, ["topic"]).num_rows


def _alert(row: dict) -> tuple:
    amount = "" if row["total_amount"] is None else f"Rp {row['total_amount']:,.0f}"
    reasons = "; ".join(in_words(Reason(**each)) for each in (row["reasons"] or [])[:REASONS_SHOWN])
    probability = round(row["probability"][1], 3)
    return _time(row["ts"]), row["transaction_id"], row["customer_id"], amount, probability, reasons


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, MELBOURNE):%H:%M:%S}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
