"""The whole shop in memory: every file as a table, from a scale and a seed."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fraudstream.data.generate import draw
from fraudstream.data.generate.browsing import browsing, checkouts
from fraudstream.data.generate.carts import transactions
from fraudstream.data.generate.catalogue import categories, products
from fraudstream.data.generate.clock import MEAN_GAP_MS, NEW_START_MS, Period, as_text
from fraudstream.data.generate.customers import customers
from fraudstream.data.generate.drift import with_drift, with_shorter_sessions
from fraudstream.data.generate.profiles import FRAUDS
from fraudstream.data.generate.purchases import purchases
from fraudstream.schemas import FILES

# of the past, the last fifth judges the model: some 200 frauds
PAST_ROWS, NEW_ROWS = 900_000, 100_000
CUSTOMERS, PRODUCTS = 10_000, 5_000
UNLABELLED_PERMILLE = 8  # honest transactions of the past without a row in fraud_transaction.csv


@dataclass(frozen=True)
class Shop:
    """files: file name -> table of text and whole numbers. kinds: transaction_id -> kind of buyer (in no file)."""

    files: dict[str, pd.DataFrame]
    kinds: dict[str, str] = field(repr=False)


def build(scale: float, seed: int, drift: str = "") -> Shop:
    """The shop of a scale and a seed. Customers grow with the scale, products with its square root.

    ``drift``: one of DRIFTS, the feature that drifts in the new period, or empty.
    """
    past_rows, new_rows = round(PAST_ROWS * scale), round(NEW_ROWS * scale)
    past = Period(NEW_START_MS - past_rows * MEAN_GAP_MS, past_rows)
    new = Period(NEW_START_MS, new_rows)
    category = categories()
    people = customers(draw.generator(seed, 1), seed, max(400, round(CUSTOMERS * scale)), past.start_ms)
    goods = products(draw.generator(seed, 2), category, max(2 * len(category), round(PRODUCTS * scale**0.5)))
    past_part = _period(draw.generator(seed, 3), past, people, goods)
    new_part = _period(draw.generator(seed, 4), new, people, goods, drift)
    tables = {
        "category.csv": category,
        "customer.csv": people,
        "product.csv": goods,
        "browsing_behaviour.csv": past_part.browsing,
        "customer_session.csv": past_part.browsing.drop_duplicates("session_id"),
        "transactions.csv": past_part.transactions,
        "fraud_transaction.csv": _labels(draw.generator(seed, 5), past_part.transactions, UNLABELLED_PERMILLE),
        "new_browsing_behaviour.csv": new_part.browsing,
        "new_transaction.csv": new_part.transactions,
        "new_fraud_transaction.csv": _labels(draw.generator(seed, 6), new_part.transactions, 0),
    }
    both = pd.concat([past_part.transactions, new_part.transactions])
    return Shop(
        files={name: tables[name][list(columns)] for name, columns in FILES.items()},
        kinds=dict(zip(both["transaction_id"], both["kind"], strict=True)),
    )


@dataclass(frozen=True)
class _Part:
    browsing: pd.DataFrame
    transactions: pd.DataFrame


def _period(
    rng: np.random.Generator, period: Period, people: pd.DataFrame, goods: pd.DataFrame, drift: str | None = None
) -> _Part:
    """Browsing rows and transactions of a period; ``drift``: None for the past, text for the new period."""
    stream = drift is not None
    bought = with_shorter_sessions(purchases(rng, period, people, stream=stream), drift or "")
    events = browsing(rng, period, bought)
    session_ids = draw.uuids(rng, int(events["session"].max()) + 1)
    ended = checkouts(events)
    sold = transactions(rng, bought, people, goods).assign(
        created_at=as_text(ended),
        transaction_id=draw.uuids(rng, len(bought)),
        session_id=session_ids[: len(bought)],
        kind=bought["kind"],
    )
    if drift:
        sold = with_drift(rng, sold, drift)  # the last draw of the period, so that nothing else changes
    events = events.assign(
        session_id=session_ids[events["session"]],
        event_time=as_text(events["browsed_at"].to_numpy()),
        customer_id=people["customer_id"].to_numpy()[events["customer"]],
    )
    return _Part(events, sold.iloc[np.argsort(ended, kind="stable")].reset_index(drop=True))


def _labels(rng: np.random.Generator, transactions_: pd.DataFrame, unlabelled_permille: int) -> pd.DataFrame:
    """fraud_transaction.csv: transaction_id, is_fraud (True or False); a few honest ones are left out."""
    is_fraud = transactions_["kind"].isin(list(FRAUDS))
    left_out = draw.chance(rng, unlabelled_permille, len(is_fraud)) & ~is_fraud.to_numpy()
    return transactions_[["transaction_id"]].assign(is_fraud=is_fraud)[~left_out]
