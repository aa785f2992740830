#!/bin/sh
# The service `run`: data, model, the three notebooks, reconciliation. With `--profile cluster` the same notebooks use
# three brokers and Spark's master; with `--profile lab` it leaves them to JupyterLab.
set -eu
is_up() { getent hosts "$1" >/dev/null; }

if is_up lab.fraudstream.internal; then
    echo "JupyterLab is up: the notebooks are yours, nothing runs by itself."
    exit 0
fi
if is_up spark.fraudstream.internal; then
    export KAFKA_BOOTSTRAP_SERVERS=kafka-1:9092,kafka-2:9092,kafka-3:9092 SPARK_MASTER=spark://spark-master:7077
fi
exec python -m fraudstream run --empty-topics --wait 120
