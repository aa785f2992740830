"""The embedded broker: Apache Kafka from its own jars, started and stopped for one output folder."""

from fraudstream.kafka.broker.process import was_killed
from fraudstream.kafka.broker.server import Status, keep, start, status, stop, stop_broker_afterwards

__all__ = ["Status", "keep", "start", "status", "stop", "stop_broker_afterwards", "was_killed"]
