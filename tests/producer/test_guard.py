"""A producer whose options would break Task 1's promise is refused before it sends anything."""

import pytest

from fraudstream.errors import BrokerError
from fraudstream.producer.guard import REQUEST_TIMEOUT_MS, SOCKET_OPTIONS, require_options
from fraudstream.producer.sender import Sender

# isort: split
from kafka3 import KafkaProducer

SAFE = {
    "acks": -1,  # "all"
    "retries": 0,
    "max_in_flight_requests_per_connection": 1,
    "linger_ms": 0,
    "request_timeout_ms": REQUEST_TIMEOUT_MS,
    "socket_options": SOCKET_OPTIONS,
}


def test_safe_options_pass():
    require_options(SAFE)


@pytest.mark.parametrize(
    ("option", "value"),
    [("acks", 1), ("acks", 0), ("retries", 1), ("linger_ms", 5), ("max_in_flight_requests_per_connection", 2)],
)
def test_each_unsafe_option_is_named(option, value):
    with pytest.raises(BrokerError, match=rf"Set {option}=\w+ \(found: {value}\)\.$"):
        require_options({**SAFE, option: value})


def test_a_producer_that_could_lose_or_duplicate_or_reorder_is_refused(broker):
    producer = KafkaProducer(bootstrap_servers=broker, retries=3)
    try:
        with pytest.raises(BrokerError) as caught:
            Sender(producer, {"bootstrap_servers": [broker]})
    finally:
        producer.close()
    assert str(caught.value) == (
        "With these options of KafkaProducer, messages could be lost, duplicated or reordered. Set acks=all (found: "
        "1), retries=0 (found: 3), max_in_flight_requests_per_connection=1 (found: 5), "
        "request_timeout_ms=REQUEST_TIMEOUT_MS (found: 30000), socket_options=SOCKET_OPTIONS (found: no linger of 0 s)."
    )
