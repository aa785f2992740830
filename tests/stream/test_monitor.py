"""The live panel: what it says of predictions that are there."""

from types import SimpleNamespace

import pyarrow as pa

from fraudstream.kafka.probe import wait_for
from fraudstream.stream.monitor import StreamMonitor
from fraudstream.stream.store import write_batch

# micro-batch -> transaction_id -> columns of which the model did not know the value
NONE = SimpleNamespace(batchId=None)
PREDICTED = [{"t1": ["gender"], "t2": ["age", "gender"], "t3": []}, {"t2": [], "t4": ["age"]}]


def test_transactions_of_which_the_model_did_not_know_a_value_are_counted_by_their_newest_prediction(spark, tmp_path):
    source, folder = tmp_path / "source", tmp_path / "predictions"
    source.mkdir()

    def write(batch, batch_id):
        assert batch.count() == 1  # Spark counts the rows that are read
        rows = PREDICTED[batch_id]
        columns = {"transaction_id": list(rows), "ts": pa.array([0] * len(rows), pa.int32())}
        columns["imputed"] = pa.array(list(rows.values()), pa.list_(pa.string()))
        write_batch(pa.table(columns), folder, batch_id)

    writer = spark.readStream.text(str(source)).writeStream.foreachBatch(write)
    query = writer.option("checkpointLocation", str(tmp_path / "checkpoint")).start()
    health, said = StreamMonitor([query], folder, tmp_path / "quarantine"), []
    for number in range(len(PREDICTED)):
        (source / f"{number}.txt").write_text("a line\n")
        assert wait_for(lambda number=number: (query.lastProgress or NONE).batchId == number, 60, print)
        facts = health.look()[1]
        said.append((facts["predicted"], facts["imputed"]))
    query.stop()
    assert said == [("3", "2"), ("4", "2")]
