"""A run with much in quarantine, or predicted on imputed values, does not pass for a good one."""

import dataclasses

import pytest

from fraudstream.run.reconciliation import Reconciliation
from fraudstream.run.shortfall import shortfall


def summary(**values):
    """A run of 10,000 events and 100 transactions, all predicted, with these values."""
    zeros = dict.fromkeys((each.name for each in dataclasses.fields(Reconciliation) if each.default is not None), 0)
    lists = {name: [] for name in zeros if name.endswith("_transactions") and name != "quarantined_transactions"}
    return Reconciliation(**zeros | lists | {"events": 10_000, "transactions_sent": 100, "predicted": 100} | values)


@pytest.mark.parametrize("values", [{}, {"imputed": 1}, {"quarantined": 101, "quarantined_transactions": 1}])
def test_up_to_one_in_a_hundred_is_not_mentioned(values):
    assert shortfall(summary(**values)) == ""


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"imputed": 2}, "2 of 100 predictions on imputed values (2.0%)"),
        ({"quarantined": 102}, "102 of 10,100 rows quarantined (1.0%)"),
        (
            {"quarantined": 3, "quarantined_transactions": 3, "predicted": 97, "imputed": 57},
            "3 of 100 transactions quarantined (3.0%), 57 of 97 predictions on imputed values (58.8%)",
        ),
    ],
)
def test_more_than_one_in_a_hundred_is_counted(values, said):
    assert shortfall(summary(**values)) == said


def test_an_empty_run_has_no_shortfall():
    assert shortfall(summary(events=0, transactions_sent=0, predicted=0)) == ""
