"""Makes a generated shop awkward, with the oddities of real files."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from recompute import cart, table

from fraudstream.data.csv_files import Row
from fraudstream.producer.replay import BrowsingCursor, TransactionCursor

Batch = tuple[list[Row], list[Row]]


def make_awkward(source: Path, target: Path) -> Path:
    """``source`` as ``target``, with three customers and the two favourite products that the static files do not know,
    events after the checkout, and duplicate rows, one of them at the end of a batch and the start of the next.
    """
    shutil.copytree(source, target)
    browsing, sold = table(target, "new_browsing_behaviour.csv"), table(target, "new_transaction.csv")
    favourites = pd.Series([item["product_id"] for text in sold.product_metadata for item in cart(text)]).mode()
    _leave_out(target / "customer.csv", "customer_id", sold.customer_id.unique()[:3])
    _leave_out(target / "product.csv", "id", favourites[:2].astype(str))
    browsing = pd.concat([browsing, *(_after(sold.iloc[number], browsing) for number in (3, 20, 40, 60, 80))])
    browsing = browsing.sort_values("event_time", kind="stable")
    twice = np.isin(np.arange(len(browsing)), (5, 198, 777))  # after the first one, row 198 is the batch's last
    browsing.iloc[np.repeat(np.arange(len(browsing)), 1 + twice)].to_csv(
        target / "new_browsing_behaviour.csv", index=False
    )
    return target


def _leave_out(path: Path, key: str, values: object) -> None:
    rows = table(path.parent, path.name)
    assert rows[key].isin(values).any()
    rows[~rows[key].isin(values)].to_csv(path, index=False)


def _after(transaction: pd.Series, browsing: pd.DataFrame) -> pd.DataFrame:
    """Two events of the transaction's session, a millisecond and ten minutes after its checkout."""
    row = browsing[browsing.session_id == transaction.session_id].iloc[-1]
    times = pd.to_datetime(transaction.created_at) + pd.to_timedelta([1, 600_000], unit="ms")
    written = [time.isoformat(sep=" ", timespec="milliseconds") for time in times]
    return pd.DataFrame([row, row]).assign(event_time=written, event_type=["AP", "VI"])


def batches(data_dir: Path, rows_per_batch: int = 200) -> Iterator[Batch]:
    """The batches of the replay: browsing rows and transactions."""
    browsing = BrowsingCursor(data_dir / "new_browsing_behaviour.csv")
    transactions = TransactionCursor(data_dir / "new_transaction.csv", browsing.first_time)
    while rows := browsing.next_rows(rows_per_batch):
        yield rows, transactions.up_to(rows[-1]["event_time"])
