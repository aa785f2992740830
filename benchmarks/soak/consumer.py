"""Counts the successful transactions of each batch, as Task 3 does, and writes them to a file: one per message.

.venv/bin/python -m benchmarks.soak.consumer FILE
"""

import asyncio
import json
import sys
from pathlib import Path

from kafka import KafkaConsumer

from fraudstream.consumer.batches import arrivals, parse_message
from fraudstream.kafka.client import bootstrap, client_options
from fraudstream.schemas import TRANSACTION_TOPIC
from fraudstream.settings import load_settings


async def main(path: Path) -> None:
    """Reads the topic from its beginning and follows it until the process is killed."""
    settings = load_settings()
    bootstrap(settings)
    client = client_options(settings)
    consumer = KafkaConsumer(TRANSACTION_TOPIC, **client, group_id=None, auto_offset_reset="earliest")
    with path.open("w") as file:
        async for messages in arrivals(consumer, None, cluster=client.cluster):
            for message in messages:
                _, rows = parse_message(message)
                counted = sum(row.get("payment_status") == "Success" for row in rows)
                file.write(json.dumps([message.offset, counted]) + "\n")
            file.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
