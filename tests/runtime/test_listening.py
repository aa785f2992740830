"""What Spark opens can be reached from this computer only (the broker: tests/kafka/test_broker.py)."""

import psutil
from ports import HERE, listening


def test_spark_listens_on_this_computer_only(spark):
    found = listening([psutil.Process(), *psutil.Process().children(recursive=True)])
    assert len(found) >= 3  # its page, its driver and its blocks
    assert {ip for ip, _ in found} <= HERE
