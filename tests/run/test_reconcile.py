"""Reconciliation: predicted, late, unmatched, quarantined, unread and lost transactions are told apart."""

import json
import time

import pyarrow as pa
import pytest
from messages import sender
from shop import event, fraud, transaction, write_csv

from fraudstream.errors import OutputError
from fraudstream.kafka.client import recreate_topics
from fraudstream.run.reconcile import reconcile
from fraudstream.schemas import BROWSING_TOPIC, TRANSACTION_TOPIC
from fraudstream.settings import load_settings
from fraudstream.stream.publish import write_batch
from fraudstream.stream.reports import Reports

T = int(time.time()) - 1000
NOON = "2024-01-01 12:00:00.000"


def buy(number, ts=T, **values):
    return transaction(f"t{number}", f"s{number}", NOON) | {"ts": ts} | values


def browse(number, ts=T, **values):
    return event(f"s{number}", "CO", NOON) | {"ts": ts} | values


@pytest.fixture
def account(broker, tmp_path, monkeypatch):
    """A function that sends messages to empty topics, and returns the account of them and the folder's predictions."""
    recreate_topics({"bootstrap_servers": [broker]})
    for name in ("FRAUDSTREAM_LOOKBACK_S", "FRAUDSTREAM_BATCHES"):
        monkeypatch.delenv(name, raising=False)
    settings = load_settings(output_dir=tmp_path / "output", data_dir=tmp_path, bootstrap_servers=broker)

    def summary(browsing, transactions, sent_at=None):
        with sender(broker, sent_at) as send:
            send(BROWSING_TOPIC, *browsing)
            send(TRANSACTION_TOPIC, *transactions)
        return reconcile(settings, {"bootstrap_servers": broker})

    summary.settings, summary.client = settings, {"bootstrap_servers": broker}
    return summary


def predicted(settings, batch_id, *rows, imputed=(), **more):
    """A batch of predictions of (transaction number, prediction), all with ts T and the same ``imputed`` and more."""
    columns = {"transaction_id": [f"t{number}" for number, _ in rows], "prediction": [float(said) for _, said in rows]}
    columns["ts"] = pa.array([T] * len(rows), pa.int32())
    columns["imputed"] = pa.array([list(imputed)] * len(rows), pa.list_(pa.string()))
    columns |= {name: [value] * len(rows) for name, value in more.items()}
    write_batch(pa.table(columns), settings.predictions, batch_id)


def quarantined(settings, *places):
    """These rows, (topic, offset, position), in quarantine."""
    columns = zip(*((topic, 0, offset, position) for topic, offset, position in places), strict=True)
    names = ("topic", "partition", "offset", "position")
    write_batch(pa.table(dict(zip(names, map(list, columns), strict=True))), settings.quarantine, 0)


def counts(summary):
    names = ("transactions_sent", "predicted", "late", "unmatched", "quarantined_transactions", "lost")
    return tuple(getattr(summary, name) for name in names)


def test_padded_ids_are_those_of_the_predictions(account):
    predicted(account.settings, 0, (1, 0))
    padded = buy(1, transaction_id=" t1 "), buy(2, transaction_id="t2\u00a0", session_id="s2  ")
    summary = account([[browse(1), browse(2, session_id=" s2")]], [list(padded)])
    assert (summary.transactions_sent, summary.predicted, summary.lost, summary.lost_transactions) == (2, 1, 1, ["t2"])


def test_ids_that_say_nothing_are_no_ids(account):
    summary = account([[browse(1)]], [[buy(1, transaction_id="NULL"), buy(2, transaction_id=" ")]])
    quarantined(account.settings, (TRANSACTION_TOPIC, 0, 0), (TRANSACTION_TOPIC, 0, 1))
    assert summary.transactions_sent == 2
    assert reconcile(account.settings, account.client).quarantined_transactions == 2


def test_everything_predicted_is_complete(account):
    predicted(account.settings, 0, (1, 0), (2, 1))
    summary = account([[browse(1), browse(2)]], [[buy(1), buy(2)], []])
    assert counts(summary) == (2, 2, 0, 0, 0, 0)
    assert (summary.batches, summary.events, summary.frauds, summary.complete) == (1, 2, 1, True)


def test_a_transaction_with_an_event_and_without_a_prediction_is_lost(account):
    predicted(account.settings, 0, (1, 0))
    summary = account([[browse(1), browse(2)]], [[buy(1), buy(2)]])
    assert counts(summary) == (2, 1, 0, 0, 0, 1)
    assert (summary.lost_transactions, summary.complete) == (["t2"], False)


def test_what_was_sent_after_the_stream_had_stopped_is_unread(account):
    checkpoint = account.settings.checkpoints / "predictions"
    for folder, text in [("commits", "v1"), ("offsets", 'v1\n{}\n{"transactions":{"0":1}}\n-')]:
        (checkpoint / folder).mkdir(parents=True)
        (checkpoint / folder / "0").write_text(text)
    predicted(account.settings, 0, (1, 0))
    summary = account([[browse(1), browse(2)]], [[buy(1)], [buy(2), buy(3)]])
    assert counts(summary) == (3, 1, 0, 0, 0, 0)
    assert (summary.unread, summary.complete) == (2, False)


@pytest.mark.parametrize("spoilt", [{"event_time": "noon"}, {"event_time": 12}, {"event_time": None}])
def test_what_the_stream_has_not_read_yet_may_be_malformed(account, spoilt):
    checkpoint = account.settings.checkpoints / "predictions"
    for folder, text in [("commits", "v1"), ("offsets", 'v1\n{}\n{"transactions":{"0":0}}\n-')]:
        (checkpoint / folder).mkdir(parents=True)
        (checkpoint / folder / "0").write_text(text)
    without = {name: value for name, value in browse(2).items() if name != "event_time"}
    summary = account([[browse(1, **spoilt), without]], [[buy(1), buy(2), buy(3, created_at=3)]])
    assert (summary.unread, summary.lost, summary.unmatched) == (3, 0, 0)


def test_a_transaction_is_unmatched_without_an_event_that_could_count(account):
    later, bad = {"event_time": "2024-01-01 12:00:00.001"}, {"event_time": "noon"}
    events = [[browse(2, **later), browse(3, ts=T - 3601), browse(4, ts=T + 61), browse(5, **bad), {"ts": T}]]
    quarantined(account.settings, (BROWSING_TOPIC, 0, 3), (BROWSING_TOPIC, 0, 4))
    summary = account(events, [[buy(number) for number in range(1, 6)]])
    assert counts(summary) == (5, 0, 0, 5, 0, 0)
    assert (summary.unmatched_transactions, summary.quarantined) == (["t1", "t2", "t3", "t4", "t5"], 2)
    assert summary.complete


def test_a_row_of_a_minute_ago_is_late_as_it_is_to_spark(account):
    everybody = [browse(number, ts=T) for number in (1, 2, 3, 4)]
    summary = account([everybody], [[buy(1, T + 61), buy(2)], [buy(3, T + 1), buy(4)]])
    assert (summary.late, summary.lost_transactions) == (2, ["t1", "t2"])


def test_a_ts_ahead_of_its_record_makes_nothing_late_when_that_time_has_come(account):
    """The record's own time counts: an hour later, the ts is in the past for every clock."""
    quarantined(account.settings, (TRANSACTION_TOPIC, 0, 0))
    summary = account([[browse(1)]], [[buy(9, T + 900)], [buy(1)]], T)
    assert counts(summary) == (2, 0, 0, 0, 1, 1)


def test_a_quarantined_row_makes_nothing_late(account):
    quarantined(account.settings, (TRANSACTION_TOPIC, 0, 0))
    summary = account([[browse(1)]], [[buy(9, T + 90, total_amount="much")], [buy(1)]])
    assert counts(summary) == (2, 0, 0, 0, 1, 1)


def test_a_quarantined_row_does_not_explain_the_loss_of_a_good_one_with_its_id(account):
    quarantined(account.settings, (TRANSACTION_TOPIC, 0, 0))
    summary = account([[browse(1)]], [[buy(1, total_amount="much"), buy(1)]])
    assert (summary.quarantined_transactions, summary.lost_transactions) == (0, ["t1"])


def test_a_ts_in_the_far_future_makes_nothing_late(account):
    quarantined(account.settings, (TRANSACTION_TOPIC, 0, 0))
    summary = account([[browse(1)]], [[buy(9, 2**31 - 1)], [buy(1)]])
    assert counts(summary) == (2, 0, 0, 0, 1, 1)


def test_quarantined_transactions_are_counted_one_by_one_and_other_rows_beside_them(account):
    rows = [buy(1), buy(2, clear_payment="yes"), buy(3, transaction_id=""), buy(4)]
    del rows[3]["transaction_id"]
    quarantined(
        account.settings,
        *((TRANSACTION_TOPIC, 1, at) for at in (1, 2, 3)),
        (TRANSACTION_TOPIC, 0, 0),
        (BROWSING_TOPIC, 0, 0),
    )
    predicted(account.settings, 0, (1, 0))
    summary = account([b"no list", [browse(1)]], [None, rows])
    assert counts(summary) == (4, 1, 0, 0, 3, 0)
    assert (summary.quarantined, summary.batches, summary.complete) == (5, 1, True)


def test_what_was_sent_or_predicted_twice_counts_once_by_its_newest_prediction(account):
    predicted(account.settings, 9, (1, 0))
    predicted(account.settings, 10, (1, 1))
    summary = account([[browse(1)], [browse(1)]], [[buy(1)], [buy(1)]])
    assert counts(summary) == (1, 1, 0, 0, 0, 0)
    assert (summary.frauds, summary.batches) == (1, 2)


def test_an_id_that_comes_again_with_other_values_is_counted_and_named(account):
    predicted(account.settings, 0, (1, 0))
    summary = account([[browse(1)]], [[buy(1), buy(1, payment_status="Fail")], [buy(1, ts=T + 1)]])
    assert (summary.conflicts, summary.conflicting_transactions, summary.transactions_sent) == (1, ["t1"], 1)


def test_a_row_that_spark_reads_out_of_a_text_is_counted_as_spark_reads_it(account):
    predicted(account.settings, 0, (1, 0))
    assert counts(account([[browse(1)]], [[json.dumps(buy(1))]])) == (1, 1, 0, 0, 0, 0)


def test_a_message_that_is_too_deep_or_begins_with_a_mark_is_no_list(account):
    assert account([[browse(1)]], [b"[" * 100_000, b"\xef\xbb\xbf[{}]"]).transactions_sent == 0


def test_an_event_s_time_may_have_a_zone(account):
    assert counts(account([[browse(1, event_time="2024-01-01T00:00:00Z")]], [[buy(1)]]))[-1] == 1


def test_seconds_count_to_the_moment_at_which_the_first_prediction_can_be_read(account):
    began = time.time()
    predicted(account.settings, 0, (1, 0))
    first_read = time.time()
    time.sleep(0.1)
    predicted(account.settings, 1, (1, 0))
    summary = account([[browse(1)]], [[buy(1)]])
    assert began - 0.02 < T + summary.seconds_p50 == T + summary.seconds_p95 < first_read + 0.02


def test_transactions_of_which_the_model_did_not_know_a_value_are_counted_by_their_newest_prediction(account):
    predicted(account.settings, 0, (1, 0), (2, 0), imputed=["gender", "age"])
    predicted(account.settings, 1, (2, 0), (3, 0))
    summary = account([[browse(1), browse(2), browse(3)]], [[buy(1), buy(2), buy(3)]])
    assert (summary.predicted, summary.imputed) == (3, 1)


def test_predictions_of_another_replay_are_refused(account):
    predicted(account.settings, 0, (1, 0), (8, 0), (9, 0))
    with pytest.raises(OutputError) as caught:
        account([[browse(1)]], [[buy(1)]])
    assert str(caught.value) == (
        f"{account.settings.predictions} holds 2 transactions that are not in transactions: they belong to another "
        "replay. Start over: python -m fraudstream reset"
    )


def test_nothing_sent_is_complete(account):
    summary = account([], [])
    assert counts(summary) == (0, 0, 0, 0, 0, 0)
    assert (summary.seconds_p50, summary.precision, summary.complete) == (None, None, True)


def test_precision_and_recall_against_the_truth_of_what_was_predicted(account, tmp_path):
    truth = [fraud("t1"), fraud("t2"), fraud("t3", "False"), fraud("t9")]
    write_csv(tmp_path / "new_fraud_transaction.csv", truth)
    predicted(account.settings, 0, (1, 1), (2, 0), (3, 1), (4, 1))
    numbers = (1, 2, 3, 4)
    summary = account([[browse(number) for number in numbers]], [[buy(number) for number in numbers]])
    assert (summary.true_positives, summary.false_positives, summary.false_negatives) == (1, 2, 1)
    assert (summary.precision, summary.recall) == (0.3333, 0.5)


def test_summary_is_written_as_json_by_every_reconciliation(account):
    predicted(account.settings, 0, (1, 1))
    path = account.settings.output_dir / "summary.json"
    summary = account([[browse(1)]], [[buy(1)]])
    written = json.loads(path.read_text())
    assert written["transactions_sent"] == written["predicted"] == written["frauds"] == 1
    assert ("transactions sent", "1") in summary.rows()


def test_reports_that_lack_windows_make_it_incomplete(account):
    columns = {"transaction_id": ["t1"], "prediction": [0.0], "ts": pa.array([T], pa.int32())}
    columns["imputed"] = pa.array([[]], pa.list_(pa.string()))
    columns["product_metadata"] = [[{"product_id": 1, "quantity": 2, "item_price": 1.0}]]
    write_batch(pa.table(columns), account.settings.predictions, 0)
    commits = account.settings.checkpoints / "frauds" / "commits"
    commits.mkdir(parents=True)
    (commits / "0").write_text("v1")
    summary = account([[browse(1)]], [[buy(1)]])
    assert (summary.lost, summary.reports_wrong, summary.complete) == (0, 14, False)  # 12 of 2 minutes, 1 and 1
    assert summary.wrong_windows[-1].startswith("quantity_by_transaction, 20")
    Reports(account.settings.reports, predictions=account.settings.predictions)
    summary = reconcile(account.settings, account.client)
    assert (summary.reports_wrong, summary.complete) == (0, True)


@pytest.mark.parametrize("odd", [[1, 2], {"a": 1}, 1.5, True, None, 10**30, "\ud800"])
def test_odd_ids_are_quarantined_or_read_and_never_spoil_their_neighbours(account, odd):
    readable = odd in (10**30, "\ud800")
    predicted(account.settings, 0, (1, 0))
    if not readable:
        quarantined(account.settings, (TRANSACTION_TOPIC, 0, 0), (BROWSING_TOPIC, 0, 0))
    rows = [buy(2) | {"transaction_id": odd, "session_id": odd}, buy(1)]
    summary = account([[browse(2) | {"session_id": odd}, browse(1)]], [rows])
    assert counts(summary) == ((2, 1, 0, 0, 0, 1) if readable else (2, 1, 0, 0, 1, 0))


def test_the_summary_has_the_model_of_the_newest_prediction_and_counts_all_by_their_newest(account):
    predicted(account.settings, 0, (1, 0))  # of an earlier release
    predicted(account.settings, 9, (2, 0), (3, 1), model_version="aaa")
    predicted(account.settings, 10, (3, 1), (4, 0), model_version="bbb")
    everything = [browse(number) for number in (1, 2, 3, 4)], [buy(number) for number in (1, 2, 3, 4)]
    summary = account([everything[0]], [everything[1]])
    assert (summary.model_version, summary.model_versions) == ("bbb", {"aaa": 1, "bbb": 2})
    assert ("model version", "bbb") in summary.rows()
    stored = json.loads((account.settings.output_dir / "summary.json").read_text())
    assert (stored["model_version"], stored["model_versions"]) == ("bbb", {"aaa": 1, "bbb": 2})
