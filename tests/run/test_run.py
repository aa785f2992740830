"""`python -m fraudstream run`: the three notebooks at once, with a small shop, a real Kafka and a student's model.

The stream has a payment method and customers that the model does not know.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from batch_twin import features_of_new
from messages import sender
from PIL import Image
from shop import change
from sklearn.metrics import average_precision_score
from stream_files import records
from students import at_the_door, labelled_past, own_probabilities, predicted, saved, students_pipeline, students_rows
from zips import small_model

from fraudstream.kafka.client import recreate_topics
from fraudstream.model import SavedModel
from fraudstream.model.explain.reasons import STRONGEST
from fraudstream.schemas import ALERT_TOPIC, BROWSING_TOPIC, LABEL_TOPIC, STREAM_COLUMNS, TOPICS, TRANSACTION_TOPIC
from fraudstream.settings import PROJECT, Settings

BATCHES = 10


def run(output, data, model, broker):
    """Runs the command as a user does; no setting comes from the tests' own environment."""
    inherited = {name: value for name, value in os.environ.items() if name not in Settings.environment_names().values()}
    own = {
        "FRAUDSTREAM_OUTPUT_DIR": output,
        "FRAUDSTREAM_DATA_DIR": data,
        "FRAUDSTREAM_MODEL": model,
        "FRAUDSTREAM_IDLE_S": 4,
        "KAFKA_BOOTSTRAP_SERVERS": broker,
        "SPARK_MASTER": "local[2]",
    }
    command = [
        sys.executable,
        "-m",
        "fraudstream",
        "run",
        "--batches",
        str(BATCHES),
        "--interval",
        "0.3",
        "--empty-topics",
    ]
    environment = inherited | {name: str(value) for name, value in own.items()}
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=280)


@dataclass
class Finished:
    """A run that has ended with exit code 0."""

    output: Path
    printed: str
    summary: dict

    def notebook(self, name: str) -> str:
        """All outputs of an executed notebook, as text."""
        notebook = nbformat.read(self.output / "notebooks" / name, as_version=4)
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        assert "error" not in {output.output_type for output in outputs}
        return "\n".join(output.get("text") or json.dumps(output.get("data", {})) for output in outputs)


@pytest.fixture(scope="module")
def strange_shop(shop_dir, tmp_path_factory):
    """The generated shop with a new payment method in the stream, and a quarter of its customers unknown."""
    folder = shutil.copytree(shop_dir, tmp_path_factory.mktemp("strange") / "shop")
    change(folder / "new_transaction.csv", "payment_method", lambda method: method.replace("Gopay", "Kredivo"))
    change(folder / "customer.csv", "customer_id", lambda number: number if int(number) % 4 else f"-{number}")
    return folder


@pytest.fixture(scope="module")
def students_model(spark, shop_dir, tmp_path_factory):
    """A zip whose indexers would drop rows with unknown values."""
    fitted = students_pipeline("skip").fit(students_rows(labelled_past(spark, shop_dir)))
    return saved(fitted, tmp_path_factory.mktemp("student") / "my_ML_model.zip")


@pytest.fixture(scope="module")
def finished(broker, strange_shop, students_model, tmp_path_factory):
    """A run after an earlier one, whose results and messages are still there."""
    output = tmp_path_factory.mktemp("run") / "output"
    (output / "predictions" / "batch_id=0").mkdir(parents=True)
    (output / "predictions" / "batch_id=0" / "part-0.parquet").write_bytes(b"of an earlier run")
    (output / "summary.json").write_text("of an earlier run")
    recreate_topics({"bootstrap_servers": [broker]})
    with sender(broker) as send:
        send(BROWSING_TOPIC, [{"session_id": "of an earlier run"}])
    ended = run(output, strange_shop, students_model, broker)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    return Finished(output, ended.stdout, json.loads((output / "summary.json").read_text()))


def test_every_transaction_sent_is_predicted_or_accounted_for(finished):
    summary = finished.summary
    accounted = [summary[name] for name in ("predicted", "late", "unmatched", "quarantined_transactions", "lost")]
    assert summary["transactions_sent"] == sum(accounted) == summary["predicted"] > 50
    assert (summary["batches"], summary["events"]) == (BATCHES, 200 * BATCHES)
    assert 0 < summary["seconds_p50"] <= summary["seconds_p95"]
    assert summary["precision"] is not None
    assert "Every transaction is accounted for." in finished.printed


def test_the_student_s_model_predicts_every_transaction_as_by_itself(
    spark, finished, strange_shop, students_model, tmp_path
):
    stream = features_of_new(spark, strange_shop)
    stored = spark.read.parquet(str(finished.output / "predictions")).collect()
    found = {row.transaction_id: row for row in sorted(stored, key=lambda row: row.batch_id)}
    door = at_the_door(students_model, tmp_path)
    own, all_rows = own_probabilities(door, stream), predicted(door, stream)
    assert len(found) == finished.summary["predicted"]
    expected = {key: list(all_rows[key].probability) for key in found}
    assert {key: row.probability for key, row in found.items()} == expected
    known = {key for key, row in found.items() if not row.imputed}
    assert known == found.keys() & own.keys()  # the others it would have dropped
    assert finished.summary["imputed"] == len(found) - len(known) > 10 < len(known)


def test_every_prediction_names_its_model_and_every_fraud_its_reasons(finished, students_model):
    rows = pd.read_parquet(finished.output / "predictions")
    version = SavedModel.open(students_model).version
    assert set(rows.model_version) == {version} == {finished.summary["model_version"]}
    frauds = rows[rows.prediction == 1]
    assert len(frauds) > 0
    assert rows.reasons.notna().tolist() == (rows.prediction == 1).tolist() == rows.base_value.notna().tolist()
    names = {pair.ours for pair in SavedModel.open(students_model).match(STREAM_COLUMNS).columns}
    for row in frauds.itertuples():
        assert 1 <= len(row.reasons) <= STRONGEST
        assert {each["feature"] for each in row.reasons} <= names
        assert all(each["contribution"] > 0 for each in row.reasons)
    text = finished.notebook("A2B-Task2_spark_streaming.ipynb")
    assert f"Model {version}: the reasons are Shapley values of the margin" in text


def test_every_fraud_is_an_alert_with_the_reasons_that_are_stored(finished, broker):
    rows = pd.read_parquet(finished.output / "predictions").sort_values("batch_id", kind="stable")
    newest = rows.drop_duplicates("transaction_id", keep="last").set_index("transaction_id")
    alerts = {record.key.decode(): json.loads(record.value) for record in records(broker, ALERT_TOPIC)}
    assert {key for key, alert in alerts.items() if not alert["withdrawn"]} == set(newest[newest.prediction == 1].index)
    for key, alert in alerts.items():
        row = newest.loc[key]
        assert (alert["probability"], alert["model_version"]) == (row.probability[1], row.model_version)
        assert [each["contribution"] for each in alert["reasons"]] == [each["contribution"] for each in row.reasons]
    assert f"published to {ALERT_TOPIC}" in finished.notebook("A2B-Task2_spark_streaming.ipynb")


def test_every_transaction_has_a_label_and_the_final_accuracy_is_that_of_pandas(finished, broker, strange_shop):
    rows = pd.read_parquet(finished.output / "predictions").sort_values("batch_id", kind="stable")
    newest = rows.drop_duplicates("transaction_id", keep="last").set_index("transaction_id")
    labels = pd.DataFrame([label for each in records(broker, LABEL_TOPIC) for label in json.loads(each.value)])
    assert sorted(labels.transaction_id) == sorted(newest.index)
    truth = pd.read_csv(strange_shop / "new_fraud_transaction.csv").set_index("transaction_id").is_fraud
    fraud = truth.reindex(newest.index).fillna(False).astype(bool)
    assert labels.set_index("transaction_id").is_fraud.to_dict() == fraud.to_dict()
    flagged, found = newest.prediction == 1, (newest.prediction == 1) & fraud
    area = average_precision_score(fraud, newest.probability.str[1])
    (line,) = re.findall(r"all so far .*", finished.notebook("A2B-Task2_spark_streaming.ipynb").replace("\\n", "\n"))
    figures = [f"{value:.2f}" for value in (found.sum() / flagged.sum(), found.sum() / fraud.sum(), area)]
    expected = [str(count) for count in (len(newest), fraud.sum(), flagged.sum())] + figures
    assert re.sub(r"\([^)]*\)", "", line).split()[3:] == expected


def test_topics_hold_this_run_s_batches_and_nothing_older(finished, broker):
    sent = [[json.loads(record.value) for record in records(broker, topic)] for topic in TOPICS]
    assert [len(batches) for batches in sent] == [BATCHES, BATCHES]
    assert sum(len(batch) for batch in sent[1]) == finished.summary["transactions_sent"]


def test_what_an_earlier_run_left_lies_aside(finished):
    (earlier,) = (finished.output / "earlier").iterdir()
    assert (earlier / "summary.json").read_text() == "of an earlier run"
    assert (earlier / "predictions" / "batch_id=0" / "part-0.parquet").read_bytes() == b"of an earlier run"
    assert f"The results of the last replay have moved to {earlier}." in finished.printed.replace("\n", "")


def test_the_notebook_of_task_1_shows_what_it_sent(finished):
    text = finished.notebook("A2B-Task1_producer.ipynb")
    assert re.search(rf"batch +{BATCHES} +2024-01-01 ", text)


def test_the_notebook_of_task_2_shows_schema_predictions_and_reports(finished):
    text = finished.notebook("A2B-Task2_spark_streaming.ipynb")
    assert " |-- num_purchases: integer" in text
    assert re.search(r"\|transaction_id\|.*\|prediction\|\n\+[-+]+\n\|.*\|[01]\.0\|", text.replace(" ", ""))
    for report in ("Frauds (prediction = 1) in the last 2 minutes", "Quantity of products", "Top 20 products"):
        (shown,) = [line for line in text.splitlines() if report in line and "text/html" in line]
        assert "<table" in shown
        assert "updated" in shown


def test_the_notebook_of_task_3_shows_the_count_and_its_chart_is_kept(finished, broker):
    sent = [row for record in records(broker, TRANSACTION_TOPIC) for row in json.loads(record.value)]
    successful = sum(row["payment_status"] == "Success" for row in sent)
    text = finished.notebook("A2B-Task3_consumer.ipynb")
    assert f"{BATCHES} batches, {len(sent)} transactions, {successful} successful." in text
    assert Image.open(finished.output / "successful_transactions.png").size[0] > 300


@pytest.mark.faults
def test_a_notebook_that_fails_fails_the_run(broker, shop_dir, tmp_path):
    model = small_model(tmp_path / "my_ML_model.zip")  # fit by its metadata, without any trees
    ended = run(tmp_path / "output", shop_dir, model, broker)
    assert ended.returncode == 1
    assert "FraudstreamError: A2B-Task2_spark_streaming.ipynb stopped: " in ended.stderr
    assert not (tmp_path / "output" / "summary.json").exists()
    notebook = nbformat.read(tmp_path / "output" / "notebooks" / "A2B-Task2_spark_streaming.ipynb", as_version=4)
    assert "error" in {output.output_type for cell in notebook.cells for output in cell.get("outputs", [])}


def test_files_that_do_not_fit_are_refused_before_anything_starts(broker, shop_dir, tmp_path):
    data = shutil.copytree(shop_dir, tmp_path / "data")
    change(data / "new_browsing_behaviour.csv", "customer_id", lambda number: f"C-{number}")
    ended = run(tmp_path / "output", data, small_model(tmp_path / "my_ML_model.zip"), broker)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert re.fullmatch(
        r"DataError: new_browsing_behaviour.csv, row 1: customer_id 'C-\d+' is not a whole number like 3886 "
        r"\(3,000 of 3,000 rows\). Correct the files, or continue with --tolerate "
        r"\(in a notebook: FRAUDSTREAM_TOLERATE=1\)\.",
        line,
    )
    assert not (tmp_path / "output" / "notebooks").exists()


def test_many_imputed_values_are_in_the_first_line_of_the_result_and_in_a_line_of_their_own(finished):
    summary, lines = finished.summary, [line.strip() for line in finished.printed.splitlines()]
    said = f"{summary['imputed']} of {summary['predicted']} predictions on imputed values ("
    (first,) = (line for line in lines if line.startswith("Every transaction is accounted for"))
    assert said in first
    assert any(line.startswith(said) for line in lines)
