"""The state of a replay in the topics, and where it continues after an interruption. Source: 1.4.

Batch n is message n - 1 of both topics (a batch without transactions sends an empty list), so the topics themselves
give the position of the replay.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from fraudstream.data.csv_files import Row
from fraudstream.errors import BrokerError
from fraudstream.producer.replay import ROWS_PER_BATCH, BrowsingCursor, TransactionCursor, parse_time
from fraudstream.producer.sender import RESET_REMEDY, Sender
from fraudstream.schemas import BROWSING_TOPIC, TRANSACTION_TOPIC
from fraudstream.settings import MELBOURNE


@dataclass(frozen=True)
class SentBatch:
    """One batch that both topics hold."""

    number: int
    start: str
    end: str
    rows: int
    transactions: int
    ts: int

    def __str__(self) -> str:
        clock = datetime.fromtimestamp(self.ts, MELBOURNE).strftime("%H:%M:%S")
        return (
            f"batch {self.number:>4}   {self.start} to {self.end}   {self.rows} rows   "
            f"{self.transactions:>2} transactions   ts {self.ts} ({clock})"
        )


@dataclass
class Sent:
    """Contents of both topics so far."""

    batches: int = 0
    rows: int = 0
    transactions: int = 0
    ts: int = 0
    from_gaps: int = 0

    def add(self, start: str, end: str, rows: list[Row], transactions: list[Row], ts: int) -> SentBatch:
        """Counts a batch and returns it: its text is the line to print.

        ``from_gaps`` counts the transactions created before their batch's first event.
        """
        self.from_gaps += sum(parse_time(row["created_at"]) < parse_time(start) for row in transactions)
        self.batches, self.ts = self.batches + 1, ts
        self.rows, self.transactions = self.rows + len(rows), self.transactions + len(transactions)
        return SentBatch(self.batches, start, end, len(rows), len(transactions), ts)

    def __str__(self) -> str:
        return f"{self.batches:,} batches: {self.rows:,} browsing rows and {self.transactions:,} transactions"


def resume(
    sender: Sender, browsing: BrowsingCursor, transactions: TransactionCursor, batches: int | None = None
) -> Sent:
    """Advances both cursors past what the two topics already hold, and returns that; completes a half-sent batch.

    ``batches`` is the number after which the replay ends (None: with the file); it is only needed for the note.
    Raises BrokerError if the topics hold anything but the beginning of this replay.
    """
    held = {topic: sender.message_count(topic) for topic in (BROWSING_TOPIC, TRANSACTION_TOPIC)}
    if held[BROWSING_TOPIC] - held[TRANSACTION_TOPIC] not in (0, 1):
        raise BrokerError(f"The topics hold another replay ({held} messages). {RESET_REMEDY}")
    sent, bought = Sent(), []
    while sent.batches < held[BROWSING_TOPIC] and (rows := browsing.next_rows(ROWS_PER_BATCH)):
        start, end = rows[0]["event_time"], rows[-1]["event_time"]
        bought = transactions.up_to(end)
        sent.add(start, end, rows, bought, ts=0)
    if not held[BROWSING_TOPIC]:
        return sent
    sent.ts = _require_same(sender, BROWSING_TOPIC, held[BROWSING_TOPIC], rows)
    if held[TRANSACTION_TOPIC] < held[BROWSING_TOPIC]:
        sender.send(TRANSACTION_TOPIC, [{**row, "ts": sent.ts} for row in bought], sent.ts * 1000)
        sender.note(f"Batch {sent.batches} was half sent; its transactions have now been sent.")
    else:
        _require_same(sender, TRANSACTION_TOPIC, held[TRANSACTION_TOPIC], bought)
    over = browsing.finished or (batches is not None and sent.batches >= batches)
    then = (
        f"That is everything; nothing is sent twice. {RESET_REMEDY}" if over else f"Batch {sent.batches + 1} is next."
    )
    sender.note(f"The topics already hold {sent}. {then}")
    return sent


def _require_same(sender: Sender, topic: str, number: int, rows: list[Row]) -> int:
    """The ts of the topic's last message (0 for an empty list), after a check that its rows are ``rows``."""
    value = sender.read_message(topic, number - 1)
    try:
        held = json.loads(value or b"null")
        ts = held[0].pop("ts") if held else 0
        same = [{name: text for name, text in row.items() if name != "ts"} for row in held] == rows
    except (ValueError, LookupError, TypeError, AttributeError):
        same, ts = False, 0
    if not same:
        raise BrokerError(
            f"{topic} holds another replay: its message {number} is not batch {number} of these files. {RESET_REMEDY}"
        )
    return ts
