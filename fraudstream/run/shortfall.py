"""Warnings of a run: many rows in quarantine, many predictions on imputed values."""

from fraudstream.data.check import TOLERATED_SHARE
from fraudstream.run.reconciliation import Reconciliation


def shortfall(summary: Reconciliation) -> str:
    """One line for a run in which more than 1 % of the rows were quarantined, or predicted on imputed values.

    Empty for any other run. Printed in the first and the last line of the result.
    """
    parts = {
        "rows quarantined": (summary.quarantined, summary.events + summary.transactions_sent),
        "transactions quarantined": (summary.quarantined_transactions, summary.transactions_sent),
        "predictions on imputed values": (summary.imputed, summary.predicted),
    }
    return ", ".join(
        f"{count:,} of {total:,} {what} ({count / total:.1%})"
        for what, (count, total) in parts.items()
        if total and count > TOLERATED_SHARE * total
    )
