"""Sends the soak's messages through the product's own Sender, and continues after the last one when started again.

.venv/bin/python -m benchmarks.soak.producer ROWS SEED STOP_FILE
"""

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.soak.replay import Message, Replay
from fraudstream.kafka.client import bootstrap, client_options, ensure_topics
from fraudstream.producer.guard import REQUEST_TIMEOUT_MS, SOCKET_OPTIONS
from fraudstream.producer.sender import Sender
from fraudstream.producer.ticker import Ticker
from fraudstream.run.lock import hold
from fraudstream.schemas import BROWSING_TOPIC, TRANSACTION_TOPIC
from fraudstream.settings import load_settings

# isort: split
from kafka3 import KafkaProducer

OPTIONS: dict[str, Any] = {
    "acks": "all",
    "max_in_flight_requests_per_connection": 1,
    "retries": 0,
    "request_timeout_ms": REQUEST_TIMEOUT_MS,
    "socket_options": SOCKET_OPTIONS,
    "max_block_ms": 10_000,
}


def ts_of(sender: Sender, number: int) -> int:
    """The ts of message ``number`` of the browsing topic: of its first row."""
    return json.loads(sender.read_message(BROWSING_TOPIC, number))[0]["ts"]


def main(rows: int, seed: int, stop_file: Path) -> None:
    """One message to each topic per interval, until ``stop_file`` exists or the files end."""
    settings = load_settings()
    bootstrap(settings)
    client = client_options(settings)
    ensure_topics(client)
    sender = Sender(KafkaProducer(**client, **OPTIONS), client)
    with hold(settings, "Task 1"):
        sent = {topic: sender.message_count(topic) for topic in (BROWSING_TOPIC, TRANSACTION_TOPIC)}
        last = ts_of(sender, sent[BROWSING_TOPIC] - 1) if sent[BROWSING_TOPIC] else 0
        ticker = Ticker(settings.interval_s, after_ts=last)
        for message in Replay(settings.data_dir, rows, seed).messages():
            if message.number >= min(sent.values()):
                if stop_file.exists() and len(set(sent.values())) == 1:
                    break
                last = _send(sender, message, sent, ticker, last)
                print(f"sent {message.number}", flush=True)
    print("everything sent", flush=True)


def _send(sender: Sender, message: Message, sent: dict[str, int], ticker: Ticker, last: int) -> int:
    half_sent = sent[BROWSING_TOPIC] > message.number
    ts = last if half_sent or message.repeated else ticker.wait()
    for topic in (BROWSING_TOPIC, TRANSACTION_TOPIC):
        if sent[topic] <= message.number:
            sender.send(topic, message.with_ts(topic, ts), ts * 1000)
            sent[topic] += 1
    return ts


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
