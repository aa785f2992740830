"""Part A's features and the three reports in pandas, without any line of the package."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd

LEVELS = {"l1_count": ("AP", "ATC", "CO"), "l2_count": ("VC", "VP", "VI", "SER"), "l3_count": ("SCR", "HP", "CL")}
LEVEL_OF = {code: level for level, codes in LEVELS.items() for code in codes}
COUNTS = list(LEVELS)


def table(data_dir: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(data_dir / name, dtype=str, keep_default_na=False)


def features(data_dir: Path) -> pd.DataFrame:
    """By transaction_id: the features of all new transactions that have an event up to their created_at."""
    sold = table(data_dir, "new_transaction.csv")
    sold["at"] = pd.to_datetime(sold.created_at)
    events = table(data_dir, "new_browsing_behaviour.csv")[["session_id", "event_type", "event_time"]]
    events = sold[["transaction_id", "session_id", "at"]].merge(events, on="session_id")
    events["browsed"] = pd.to_datetime(events.event_time)
    events = events[events.browsed <= events["at"]]
    counts = events.groupby(["transaction_id", events.event_type.map(LEVEL_OF)]).size().unstack(fill_value=0)[COUNTS]
    total = counts.sum(axis=1)
    span = events.groupby("transaction_id").browsed.agg(["min", "max"])
    hour = (span["min"] + (span["max"] - span["min"]) / 2).dt.hour
    counts["l1_ratio"], counts["l2_ratio"] = 100 * counts.l1_count / total, 100 * counts.l2_count / total
    counts["time_of_day"] = hour.floordiv(6).map({0: "night", 1: "morning", 2: "afternoon", 3: "evening"})
    checkout = sold.set_index("transaction_id")["at"]
    counts["session_minutes"] = (checkout - span["min"]) // pd.Timedelta("1ms") / 60_000
    return counts.join(_of_customers(data_dir, sold))


def _of_customers(data_dir: Path, sold: pd.DataFrame) -> pd.DataFrame:
    people = table(data_dir, "customer.csv").set_index("customer_id")
    past = table(data_dir, "transactions.csv")[["customer_id", "created_at"]]
    pairs = sold[["transaction_id", "customer_id", "at"]].merge(past, on="customer_id")
    earlier = pairs[pd.to_datetime(pairs.created_at) < pairs["at"]].groupby("transaction_id").size()
    found = sold.set_index("transaction_id").join(people[["gender", "birthdate", "first_join_date"]], on="customer_id")
    days = (found["at"].dt.normalize() - pd.to_datetime(found.birthdate)).dt.days
    return pd.DataFrame(
        {
            "gender": found.gender,
            "age": np.floor(days / 365.25 + 0.5),
            "first_join_year": pd.to_datetime(found.first_join_date).dt.year,
            "num_purchases": earlier.reindex(found.index).fillna(0).astype(int),
        }
    )


def reports(predictions: pd.DataFrame, names: dict[int, str]) -> dict[str, list[tuple]]:
    """Report -> its rows, from one newest prediction a transaction (ts, prediction, product_metadata)."""
    frauds, quantity, products = {}, {}, {}
    for row in predictions.itertuples():
        for start in range(row.ts // 10 * 10 - 110, row.ts // 10 * 10 + 1, 10):
            before = frauds.get(start, (0, 0))
            frauds[start] = (before[0] + int(row.prediction), before[1] + 1)
        for item in row.product_metadata if row.prediction == 0 else ():
            half, minute = row.ts // 30 * 30, row.ts // 60 * 60
            quantity[half] = quantity.get(half, 0) + item["quantity"]
            key = (minute, item["product_id"])
            products[key] = products.get(key, 0) + item["quantity"]
    return {
        "frauds_last_2_minutes": [(utc(s), utc(s + 120), *counts) for s, counts in sorted(frauds.items())],
        "quantity_every_30_seconds": [(utc(s), utc(s + 30), total) for s, total in sorted(quantity.items())],
        "top_products_every_minute": [
            (utc(s), utc(s + 60), product, names.get(product), total)
            for (s, product), total in sorted(products.items())
        ],
    }


def utc(seconds: int) -> str:
    return pd.Timestamp(seconds, unit="s", tz="UTC").isoformat()


def cart(product_metadata: str) -> list[dict]:
    return ast.literal_eval(product_metadata)
