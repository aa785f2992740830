"""Small hand-made stream files for the tests of Tasks 1 and 3, and the content of a topic."""

import csv
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from fraudstream.schemas import NEW_BROWSING, TRANSACTION

START = datetime(2024, 1, 1, 0, 20, 54, 302_000)


def at(second: float) -> str:
    """A time of the shop's clock as the files write it, so many seconds after the first event."""
    return (START + timedelta(seconds=second)).isoformat(sep=" ", timespec="milliseconds")


def event(number: int) -> dict[str, str]:
    """Browsing row ``number``: six seconds after the one before."""
    return {
        "session_id": f"523091cd-bb1c-4dd8-b7c2-{number:012}",
        "event_type": "CO" if number % 20 == 19 else "HP",
        "event_time": at(6 * number),
        "traffic_source": "MOBILE",
        "device_type": "Android",
        "customer_id": str(68053 + number),
    }


def transaction(number: int, second: float, status: str = "Success") -> dict[str, str]:
    """Transaction row ``number``, created so many seconds after the first event."""
    return {
        "created_at": at(second),
        "customer_id": "65192",
        "transaction_id": f"3c501b17-18f4-485b-9a98-{number:012}",
        "session_id": f"7db2467a-c905-4bcb-b2f2-{number:012}",
        "product_metadata": "[{'product_id': 3231, 'quantity': 1, 'item_price': 367619}]",
        "payment_method": "Credit Card",
        "payment_status": status,
        "promo_amount": "8107",
        "promo_code": "",
        "shipment_fee": "10000",
        "shipment_location_lat": "-8.04398660050412",
        "shipment_location_long": "112.205799773991",
        "total_amount": "369512",
        "clear_payment": "0" if status == "Fail" else "1",
    }


def write_stream(folder: Path, events: int, transactions: list[dict[str, str]]) -> Path:
    """Write both files into ``folder``, which is made; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "new_browsing_behaviour.csv", list(NEW_BROWSING), [event(number) for number in range(events)])
    _write(folder / "new_transaction.csv", list(TRANSACTION), transactions)
    return folder


def records(address: str, topic: str) -> list[ConsumerRecord]:
    """All records of the topic's one partition, in order."""
    consumer, place = KafkaConsumer(bootstrap_servers=address), TopicPartition(topic, 0)
    with closing(consumer):
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        end, found = consumer.end_offsets([place])[place], []
        while len(found) < end:
            found += consumer.poll(timeout_ms=1000).get(place, [])
        return found


def _write(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
