"""What the tests of two brokers and one port share."""

import os
import signal

from fraudstream.kafka import broker as embedded
from fraudstream.kafka.broker import process
from fraudstream.kafka.client import client_options, recreate_topics

TS_MS = 1_745_818_012_000


def batch(number):
    return [{"payment_status": "Success", "ts": TS_MS // 1000 + number}]


def kill(settings):
    running = process.find(settings.broker_dir)
    os.kill(running.pid, signal.SIGKILL)
    running.wait(10)


def takes_the_port(other, address):
    """The other project's broker starts at ``address``, with the same topics."""
    other.broker_dir.mkdir(parents=True)
    (other.broker_dir / "server.properties").write_text(f"advertised.listeners=PLAINTEXT://{address}\n")
    assert embedded.start(other) == address
    recreate_topics(client_options(other))
