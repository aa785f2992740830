"""What is sent: the shop's batches, with 1 % malformed, 1 % late and 1 % repeated; the same for the same seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fraudstream.producer.replay import BrowsingCursor, TransactionCursor
from fraudstream.schemas import BROWSING_TOPIC, TRANSACTION_TOPIC

SHARE = 0.01
LATE_UP_TO_S = 180

Row = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """Message ``number`` of both topics, by topic: the file's rows, the same spoilt here and there, and their delays.

    ``repeated``: it repeats the message before, with its ts.
    """

    number: int
    clean: dict[str, list[Row]]
    rows: dict[str, list[Row]]
    delays: dict[str, list[int]]
    repeated: bool = False

    @property
    def odd_sessions(self) -> set[str]:
        """The sessions of malformed and late rows."""
        return {
            clean["session_id"]
            for topic, rows in self.clean.items()
            for clean, row, delay in zip(rows, self.rows[topic], self.delays[topic], strict=True)
            if delay or row != clean
        }

    def with_ts(self, topic: str, ts: int) -> list[Any]:
        """The message's rows with their ts: a late row has an earlier one, a malformed one may have none."""
        rows = zip(self.rows[topic], self.delays[topic], strict=True)
        return [row if "ts" in row else {**row, "ts": ts - delay} for row, delay in rows]


class Replay:
    """The messages of the files in ``data_dir``; ``rows``: of a batch of browsing behaviour."""

    def __init__(self, data_dir: Path, rows: int, seed: int) -> None:
        self._data_dir, self._rows, self._seed = data_dir, rows, seed

    def messages(self) -> Iterator[Message]:
        """All messages, in the order of sending."""
        browsing = BrowsingCursor(self._data_dir / "new_browsing_behaviour.csv")
        transactions = TransactionCursor(self._data_dir / "new_transaction.csv", browsing.first_time)
        number = batch = 0
        while rows := browsing.next_rows(self._rows):
            draw = random.Random(f"{self._seed}, {batch}")
            clean = {BROWSING_TOPIC: rows, TRANSACTION_TOPIC: transactions.up_to(rows[-1]["event_time"])}
            spoilt = {topic: [_spoil(row, draw) for row in rows] for topic, rows in clean.items()}
            delays = {topic: [_delay(draw) for _ in rows] for topic, rows in clean.items()}
            delays[BROWSING_TOPIC][0] = 0
            spoilt[BROWSING_TOPIC][0] = rows[0]  # has the batch's ts
            for repeated in (False, True)[: 2 if draw.random() < SHARE else 1]:
                yield Message(number, clean, spoilt, delays, repeated)
                number += 1
            batch += 1


def _delay(draw: random.Random) -> int:
    return draw.randint(1, LATE_UP_TO_S) if draw.random() < SHARE else 0


def _spoil(row: Row, draw: random.Random) -> Row:
    if draw.random() >= SHARE:
        return row
    time_column = "created_at" if "created_at" in row else "event_time"
    return draw.choice(
        (
            row | {time_column: "yesterday"},
            row | {"session_id": [row["session_id"]]},
            row | {"ts": "soon"},
            row | {"ts": 2_000_000_000},
            {name: value for name, value in row.items() if name != time_column},
        )
    )
