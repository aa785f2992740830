"""The live pipeline under each kind of fault, one after the other, through the real Task 2 notebook (see make soak)."""

from collections.abc import Iterator

import pytest

from benchmarks.soak.__main__ import soak
from benchmarks.soak.faults import Faults
from fraudstream.settings import Settings, load_settings

KINDS = (
    *("stream killed", "broker killed", "stream killed", "producer killed", "consumer killed", "stream killed"),
    *("broker paused", "stream paused", "producer paused", "consumer paused"),
    *("network cut", "connections reset", "network slow"),
)
# on two cores that other tests use, too
RECOVERED_WITHIN_S = 150
pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


def each_kind(faults: Faults) -> Iterator[str]:
    assert {*faults.kinds} == {*KINDS}
    yield from KINDS


@pytest.fixture(scope="module")
def soaked(shop_dir, model_dir, tmp_path_factory):
    """The verdict of a soak with messages of 10 browsing rows."""
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.environment_names().values():
            patch.delenv(name, raising=False)
        own = load_settings(data_dir=shop_dir, model=model_dir / "my_ML_model.zip", spark_master="local[2]")
    verdict = soak(own, tmp_path_factory.mktemp("soak") / "here", seed=3, kinds=each_kind, rows=10)
    print(*verdict.lines(), sep="\n")
    return verdict


@pytest.mark.parametrize("kind", sorted({*KINDS}))
def test_the_pipeline_recovers(soaked, kind, record_property):
    times = soaked.faults[kind]
    record_property("figure", f"{times['number']} times, recovered within {times['max']:.0f} s")
    assert times["number"] == KINDS.count(kind)
    assert times["max"] < RECOVERED_WITHIN_S


def test_every_fault_hit_something_that_was_running(soaked):
    assert soaked.missed == 0
    assert soaked.account["batches"] > 60
    assert soaked.account["predicted"] > 30


def test_nothing_ended_that_nobody_had_killed(soaked):
    assert soaked.ended_by_themselves == []


def test_every_transaction_is_accounted_for(soaked, record_property):
    account = soaked.account
    record_property("figure", f"{account['transactions_sent']} sent, {account['lost']} lost, {account['late']} late")
    assert (account["lost"], account["unread"], account["conflicts"], account["reports_wrong"]) == (0, 0, 0, 0)
    assert account["quarantined"] > 0


def test_messages_are_sent_once_and_in_order_and_each_is_drawn_once(soaked):
    assert (soaked.out_of_order, soaked.wrongly_drawn) == (0, 0)


def test_features_are_those_of_a_recomputation(soaked, record_property):
    record_property("figure", f"{soaked.compared_features} compared")
    assert soaked.compared_features > 25
    assert soaked.wrong_features == 0


def test_a_reader_never_sees_half_a_batch_or_a_total_that_shrinks(soaked, record_property):
    record_property("figure", f"{soaked.looks:,} looks")
    assert soaked.looks > 300
    assert soaked.violations == []
