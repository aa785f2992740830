"""What bad input and broken parts lead to: each row is a promise of the product, with the tests that show it.

`make test-faults` prints the table with what it ran. Tests of `make test` are not run again there.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """``tests``: beginnings of "file::test", the file below tests/."""

    what: str
    tests: tuple[str, ...]


def _row(what: str, *tests: str) -> Row:
    return Row(what, tests)


INPUT = "data/test_csv_files.py::test_"
DOOR = "model/test_model_door.py::test_"
INGEST = "stream/test_ingest.py::test_"
STREAM = "stream/test_stream.py::test_"
SENT = "producer/test_producer.py::test_"
SOAK = "faults/test_soak.py::test_"
BATCHES = "faults/test_micro_batches.py::test_"
SINK = "stream/test_sink.py::test_"
BROKER = "kafka/test_broker.py::test_"
CLUSTERS = "kafka/test_two_clusters.py::test_"

ROWS = (
    # input files and model
    _row(
        "a CSV file is missing, empty, or has other columns, line ends, marks or quotes",
        *(f"{INPUT}{name}" for name in ("missing_file", "missing_column", "empty_file", "header_only", "shapes_of")),
        f"{INPUT}quoted_commas",
    ),
    _row("browsing rows are not sorted by time", "producer/test_replay.py::test_first_browsing_row_out_of_order"),
    _row("a transaction at a batch's bounds or between two", "producer/test_replay.py::test_t"),
    _row("the model's zip is missing, damaged, too large, or leads elsewhere", f"{DOOR}not_a_zip", f"{DOOR}names_that"),
    _row("the model names a class that is not Spark's", f"{DOOR}a_class_that_is_not_spark_ml"),
    _row("the model wants other columns or another Spark", f"{DOOR}a_model_of_another_task", f"{DOOR}a_newer_spark"),
    _row(
        "unknown categories, customers, products, missing values",
        "model/test_own_model.py::test_a_value_that_is_not_known",
        f"{STREAM}the_replay_is_worth",
    ),
    # messages
    _row("a message is not a JSON list in UTF-8, or has a bad element", f"{INGEST}a_message_that_is", f"{INGEST}an_el"),
    _row("a column is missing, or cannot be read", f"{INGEST}a_transaction_that_cannot", f"{INGEST}browsing_rows_that"),
    _row(
        "ts is in the far future",
        f"{INGEST}a_minute_ahead",
        "run/test_reconcile.py::test_a_ts_ahead",
        "run/test_reconcile.py::test_a_ts_in_the_far",
    ),
    _row("a row is later than the watermark", f"{STREAM}unmatched_late", "faults/test_lateness.py::test_stream"),
    _row("an event is late, but within the minute", f"{STREAM}an_event_that_comes_late"),
    _row("a batch is sent twice", f"{STREAM}every_transaction_sent_is_predicted_once"),
    _row("a transaction has no event", f"{STREAM}unmatched_late", "run/test_reconcile.py::test_a_transaction_is_unm"),
    _row("a message exceeds the broker's limit", f"{SENT}message_over_the_broker"),
    # parts that break
    _row("the broker is killed while the producer sends", f"{SENT}broker_killed", f"{SENT}gives_up"),
    _row("the broker is killed while stream and consumer read", f"{SOAK}the_pipeline_recovers[broker killed"),
    _row(
        "the stream is killed three times",
        f"{SOAK}the_pipeline_recovers[stream killed",
        f"{SOAK}features_are",
        f"{STREAM}the_kill_hit",
    ),
    _row("foreachBatch raises once", f"{BATCHES}a_foreach_batch"),
    _row(
        "the producer is killed",
        f"{SOAK}the_pipeline_recovers[producer killed",
        f"{SENT}half_batch",
        f"{SOAK}messages_are_sent_once",
    ),
    _row("the consumer is killed", f"{SOAK}the_pipeline_recovers[consumer killed", f"{SOAK}messages_are_sent_once"),
    _row(
        "topics recreated, another topic's checkpoint, two on one checkpoint",
        f"{CLUSTERS}a_checkpoint_of_other_topics",
        "stream/test_another_kafka.py::test_topics_recreated",
        "run/test_holders.py::test_a_second_task",
    ),
    _row(
        "notebooks are started in any order",
        f"{BROKER}a_client_elsewhere_waits",
        "notebook/test_notebooks_1_3.py::test_task_3_without",
        "faults/test_big_session.py::test_task_2_started_after",
    ),
    _row(
        "a cell is interrupted, or run twice",
        "notebook/test_notebooks_1_3.py::test_task_1_interrupted",
        "notebook/test_browser.py::test_interrupted",
        "stream/test_queries.py::test_a_cell_that_is_run_twice",
    ),
    _row("the disk of the results is full", f"{BATCHES}a_full_disk", "kafka/test_unwritable.py::test_a_full_disk"),
    _row("a part is paused", *(f"{SOAK}the_pipeline_recovers[{part} paused" for part in ("broker", "stream"))),
    _row("the network is slow or cut", *(f"{SOAK}the_pipeline_recovers[{it}" for it in ("network", "connections"))),
    _row(
        "the clock steps",
        "producer/test_ticker.py::test_ts_never_goes_back",
        "producer/test_producer.py::test_a_clock_that_steps",
    ),
    _row("a kill at the worst moments of a micro-batch", f"{BATCHES}killed_at", f"{BATCHES}each_kill"),
    _row("somebody reads the results all the time", f"{SOAK}a_reader_never", "stream/test_reports.py::test_a_reader"),
    _row("the checkpoint cannot be written", f"{BATCHES}a_full_disk"),
    _row(
        "checkpoint removed and predictions kept, or the reverse",
        f"{SINK}predictions_whose",
        f"{SINK}a_checkpoint_whose",
        "stream/test_queries.py::test_a_report_whose",
    ),
    _row("a query is stopped in the middle of a batch", f"{BATCHES}stopped_in_the_middle"),
    _row(
        "ports taken, no Java, no network",
        f"{BROKER}its_port_taken",
        f"{BROKER}no_java",
        "runtime/test_jars.py::test_no_network",
        "runtime/test_jars.py::test_a_set_is_downloaded_once",
    ),
    # found on 0.1.0
    _row(
        "another project's broker takes the port",
        f"{CLUSTERS}a_sender",
        "consumer/test_other_cluster.py::test_a_consumer",
        "stream/test_another_kafka.py::test_a_stream",
    ),
    _row("reports.sqlite is deleted, emptied or replaced", "stream/test_recount.py::test_damaged"),
    _row("two at once on one folder", "run/test_holders.py::test_", f"{SINK}two_writers"),
    _row("odd ids, elements, numbers and nesting", "stream/test_readable.py::test_", "run/test_reconcile.py::test_odd"),
    _row("a message is not UTF-8", "stream/test_ingest.py::test_a_message_that", "stream/test_readable.py::test_they"),
    _row("somebody holds reports.sqlite open", "stream/test_reports.py::test_a_file_that_somebody"),
    _row("queries stopped, idle, behind, waiting for Kafka", "stream/test_monitor.py::test_"),
    _row("the embedded broker is killed", "run/test_ends.py::test_a_run_starts", f"{CLUSTERS}a_sender_starts"),
    _row("Ctrl-C or SIGKILL of run", "run/test_ends.py::test_ctrl_c", "run/test_ends.py::test_the_broker_of_a_killed"),
    # not tried before
    _row("5,000 transactions at once, 100,000 events in one session", "faults/test_big_session.py::test_"),
    _row("a worker and a broker of a cluster are killed", "run/test_cluster.py::test_"),
    _row("no home, no network, another user, read-only data", "faults/test_odd_places.py::test_"),
    _row("a training is interrupted", "faults/test_interrupted_training.py::test_"),
    _row("secrets", "kafka/test_security.py::test_the_password", "runtime/test_listening.py::test_"),
)


def table(outcomes: dict[str, tuple[str, str]]) -> list[str]:
    """Lines to print. ``outcomes``: "file::test" -> passed, failed or skipped, and a figure.

    A row none of whose tests has an outcome was not run here: most often its tests are those of `make test`.
    """
    lines = [f"{'':>3} {'what happens':<68} {'tests':>12}  figure"]
    for number, row in enumerate(ROWS, start=1):
        found = [found for test, found in outcomes.items() if test.startswith(row.tests)]
        wrong = [outcome for outcome, _ in found if outcome != "passed"]
        said = f"{wrong[0]}!" if wrong else f"{len(found)} passed" if found else "not run here"
        lines.append(f"{number:>3} {row.what:<68} {said:>12}  {'; '.join(each for _, each in found if each)}")
    return lines
