"""What the transactions topic holds, batch by batch, as it arrives. Source: 3.1."""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from typing import Any

from kafka import KafkaConsumer

from fraudstream.errors import DataError, Note
from fraudstream.settings import FIRST_MESSAGE_FACTOR

POLL_MS, BROWSER_S, NOTE_AFTER_S = 100, 0.05, 10

Batch = tuple[int, list[dict[str, Any]]]


def first_message(consumer: KafkaConsumer) -> Any | None:
    """The first message of the topic, if one arrives within a second; reading begins anew with ``arrivals``."""
    messages = [message for several in consumer.poll(timeout_ms=1000, max_records=1).values() for message in several]
    return messages[0] if messages else None


def read_batch(message: Any) -> Batch:
    """ts (Unix seconds) and rows of one message of the transactions topic.

    An empty batch has no row that could carry ts: it is the record's timestamp in seconds.
    Raises DataError, naming topic, offset and reason, for a message that is not a JSON list of dictionaries.
    """
    where = f"{message.topic}, partition {message.partition}, offset {message.offset}"
    try:
        rows = json.loads(message.value)
    except (ValueError, TypeError) as error:
        raise DataError(f"{where}: not JSON ({error}). Left out of the chart.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{where}: not a list of dictionaries. Left out of the chart.")
    ts = rows[0].get("ts") if rows else message.timestamp // 1000
    if type(ts) is not int:
        raise DataError(f"{where}: ts is {ts!r}, not a whole number of seconds. Left out of the chart.")
    return ts, rows


async def arrivals(consumer: KafkaConsumer, idle_s: float | None, note: Note = print) -> AsyncIterator[list[Any]]:
    """The messages since the last look, from the beginning of the topic, in order; each is a batch (``read_batch``).

    Ends after ``idle_s`` seconds without a message, or ten times as long when there has been none at all, as the
    producer may start later (None: only when interrupted). A message that is no batch is said in one line and left out.

    Asynchronous, because a figure in the notebook is drawn in a conversation with the browser: the kernel gives its
    answers (the first picture, zoom, pan) between two looks. In a plain loop the figure stays blank until the end.
    """
    if consumer.assignment():
        consumer.seek_to_beginning()
    limit_s, quiet_since, said = math.inf if idle_s is None else FIRST_MESSAGE_FACTOR * idle_s, time.monotonic(), False
    while (quiet_s := time.monotonic() - quiet_since) < limit_s:
        await asyncio.sleep(BROWSER_S)
        messages = [message for several in consumer.poll(timeout_ms=POLL_MS).values() for message in several]
        if messages:
            limit_s, quiet_since, said = math.inf if idle_s is None else idle_s, time.monotonic(), False
            yield _good(messages, note)
        elif quiet_s > NOTE_AFTER_S and not said:
            said = True
            note(f"No message for {quiet_s:.0f} s: still listening. Interrupt the cell to end.")
    note(f"No message for {quiet_s:.0f} s: the chart ends here.")


def _good(messages: list[Any], note: Note) -> list[Any]:
    good = []
    for message in messages:
        try:
            read_batch(message)
        except DataError as error:
            note(str(error))
        else:
            good.append(message)
    return good
