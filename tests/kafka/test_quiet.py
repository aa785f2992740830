"""kafka-python's log is quiet while any thread waits for Kafka, and is back afterwards."""

import logging

from fraudstream.kafka.probe import quiet_kafka


def test_overlapping_waits_leave_the_log_as_it_was():
    logger = logging.getLogger("kafka")
    before = list(logger.handlers)
    first, second = quiet_kafka(), quiet_kafka()
    heard = first.__enter__(), second.__enter__()
    logger.warning("refused")
    first.__exit__(None, None, None)
    assert not logger.propagate
    second.__exit__(None, None, None)
    assert logger.propagate
    assert heard == (["refused"], ["refused"])
    assert logger.handlers == before
