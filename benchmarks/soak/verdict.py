"""What the soak has shown: everything sent is accounted for, in order, and computed right."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field

import numpy as np

from benchmarks.soak.faults import Record
from benchmarks.soak.pipeline import Pipeline
from benchmarks.soak.reader import Reader
from fraudstream.kafka.client import client_options
from fraudstream.kafka.topic_reader import read_messages
from fraudstream.run.reconcile import reconcile
from fraudstream.schemas import BROWSING_TOPIC, LEVELS, TRANSACTION_TOPIC
from fraudstream.stream.store import batch_files, batch_number, read_batch

COUNTS = tuple(f"{level}_count" for level in LEVELS)


@dataclass
class Verdict:
    """The figures of a soak. ``unexplained`` must be 0: what no rule of the product accounts for."""

    seconds: float
    faults: dict[str, dict[str, float]]
    missed: int  # faults that hit nothing
    ended_by_themselves: list[str]
    account: dict[str, object]
    out_of_order: int
    wrongly_drawn: int
    wrong_features: int
    compared_features: int
    looks: int
    violations: list[str] = field(default_factory=list)

    @property
    def unexplained(self) -> int:
        """Transactions lost or unread, wrong windows, messages lost or out of order, wrong features, half batches."""
        lost = sum(int(self.account[name] or 0) for name in ("lost", "unread", "conflicts", "reports_wrong"))
        return lost + self.out_of_order + self.wrongly_drawn + self.wrong_features + len(self.violations)

    def lines(self) -> list[str]:
        """The table of the faults and the figures, to print."""
        head = f"{'fault':<20}{'number':>8}{'recovered after, median':>26}{'95 %':>8}{'longest':>9}"
        rows = [
            f"{kind:<20}{row['number']:>8}{row['p50']:>24.1f} s{row['p95']:>6.1f} s{row['max']:>7.1f} s"
            for kind, row in sorted(self.faults.items())
        ]
        names = ("batches", "events", "transactions_sent", "predicted", "late", "unmatched", "quarantined_transactions")
        figures = [f"{name:<26}{self.account[name]:>8,}" for name in (*names, "quarantined", "lost", "unread")]
        number = sum(row["number"] for row in self.faults.values())
        return [
            head,
            *rows,
            f"{number:.0f} faults of {len(self.faults)} kinds in {self.seconds / 60:.1f} minutes, "
            f"{self.missed} of them hit nothing",
            "",
            *figures,
            f"{self.compared_features:,} predictions compared with a recomputation, {self.wrong_features} differ",
            f"{self.looks:,} looks of a reader, {len(self.violations)} violations; {self.out_of_order} messages out of "
            f"order, {self.wrongly_drawn} wrongly drawn, {self.account['reports_wrong']} report windows wrong",
            *self.violations[:10],
            *(f"ended by itself: {each}" for each in self.ended_by_themselves),
            f"unexplained: {self.unexplained}",
        ]

    def write(self, pipeline: Pipeline) -> None:
        """soak.json beside the output."""
        content = {**asdict(self), "unexplained": self.unexplained}
        (pipeline.folder / "soak.json").write_text(json.dumps(content, indent=1, default=str) + "\n")


def judge(pipeline: Pipeline, reader: Reader, records: list[Record], ended: list[str], seconds: float) -> Verdict:
    """Compares what was sent, predicted, reported and drawn."""
    client = client_options(pipeline.settings)
    sent = {
        topic: [rows for _, _, rows in read_messages(client, topic)] for topic in (BROWSING_TOPIC, TRANSACTION_TOPIC)
    }
    account = asdict(reconcile(pipeline.settings, client))
    compared, wrong = _compare_features(pipeline, sent)
    by_kind: dict[str, list[float]] = {}
    for record in records:
        by_kind.setdefault(record.kind, []).append(record.recovered_s)
    return Verdict(
        seconds=seconds,
        faults={
            kind: {
                "number": len(each),
                "p50": float(np.percentile(each, 50)),
                "p95": float(np.percentile(each, 95)),
                "max": max(each),
            }
            for kind, each in by_kind.items()
        },
        missed=sum(not record.hit for record in records),
        ended_by_themselves=ended,
        account=account,
        out_of_order=_out_of_order(pipeline, sent),
        wrongly_drawn=_wrongly_drawn(pipeline, sent),
        wrong_features=wrong,
        compared_features=compared,
        looks=reader.looks,
        violations=reader.violations,
    )


def _out_of_order(pipeline: Pipeline, sent: dict[str, list]) -> int:
    """Messages that are not the replay's, one after the other, each once and in both topics."""
    number = max(map(len, sent.values()))
    wrong = sum(number - len(messages) for messages in sent.values())
    for message in pipeline.replay.messages():
        for topic, messages in sent.items():
            if message.number < len(messages):
                found = [{**row, "ts": None} for row in messages[message.number]]
                wrong += found != [{**row, "ts": None} for row in message.rows[topic]]
    return wrong


def _wrongly_drawn(pipeline: Pipeline, sent: dict[str, list]) -> int:
    """Messages of which the consumer has not counted the successful transactions, once, in order."""
    with pipeline.drawn_file.open() as file:
        drawn = [tuple(json.loads(line)) for line in file]
    # a malformed ts in the first row leaves the message out of the chart
    right = [
        (offset, sum(row.get("payment_status") == "Success" for row in rows))
        for offset, rows in enumerate(sent[TRANSACTION_TOPIC])
        if not rows or type(rows[0].get("ts")) is int
    ]
    return sum((Counter(right) - Counter(drawn)).values()) + (drawn != sorted(drawn)) + len(drawn) - len(set(drawn))


def _compare_features(pipeline: Pipeline, sent: dict[str, list]) -> tuple[int, int]:
    """Predictions whose session had no late or malformed row: how many, and how many have other event counts.

    Recomputed from the files. A message that was sent twice counts once.
    """
    odd, events, bought = set(), {}, []
    for message in pipeline.replay.messages():
        if message.number >= len(sent[TRANSACTION_TOPIC]):
            break
        odd |= message.odd_sessions
        if not message.repeated:
            bought += message.clean[TRANSACTION_TOPIC]
            for row in message.clean[BROWSING_TOPIC]:
                events.setdefault(row["session_id"], []).append(row)
    expected = {
        row["transaction_id"]: _counts(events.get(row["session_id"], []), row["created_at"])
        for row in bought
        if row["session_id"] not in odd
    }
    found = {}
    for file in sorted(batch_files(pipeline.settings.predictions), key=batch_number):
        for row in read_batch(file, ["transaction_id", *COUNTS]).to_pylist():
            found[row["transaction_id"]] = tuple(row[name] for name in COUNTS)
    both = expected.keys() & found.keys()
    return len(both), sum(expected[key] != found[key] for key in both)


def _counts(events: list[dict], until: str) -> tuple[int, ...]:
    before = [row["event_type"] for row in events if row["event_time"] <= until]
    return tuple(sum(code in codes for code in before) for codes in LEVELS.values())
