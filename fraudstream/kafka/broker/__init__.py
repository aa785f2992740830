"""The embedded broker: Apache Kafka from its own jars, started and stopped for one output folder."""

from fraudstream.kafka.broker.server import Status, start, status, stop, stop_broker_afterwards

__all__ = ["Status", "start", "status", "stop", "stop_broker_afterwards"]
