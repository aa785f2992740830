"""All features of a generated shop in pandas: a third writing of the rules, fast enough for many seeds."""

import numpy as np
import pandas as pd

from fraudstream.data.generate.shop import Shop
from fraudstream.schemas import LEVELS

LEVEL_OF = {code: f"{level}_count" for level, codes in LEVELS.items() for code in codes}
PARTS = np.array(["night", "morning", "afternoon", "evening"], dtype=object)


def features(shop: Shop, prefix: str = "") -> pd.DataFrame:
    """One row per transaction of the past, or of the stream (``prefix`` new_), in the order of time."""
    files = shop.files
    sold = files[f"{prefix}{'transaction' if prefix else 'transactions'}.csv"].copy()
    sold["created_at"] = pd.to_datetime(sold["created_at"])
    sold = sold.astype({"customer_id": int}).merge(files["customer.csv"].astype({"customer_id": int}), on="customer_id")
    sold = sold.sort_values("created_at", kind="stable")
    events = files[f"{prefix}browsing_behaviour.csv"][["session_id", "event_type", "event_time"]]
    events = events.assign(event_time=pd.to_datetime(events["event_time"])).merge(sold[["session_id", "created_at"]])
    events = events[events["event_time"] <= events["created_at"]]
    counts = events.groupby(["session_id", events["event_type"].map(LEVEL_OF).rename("level")]).size()
    span = events.groupby("session_id")["event_time"].agg(["min", "max"])
    sold = sold.merge(counts.unstack(fill_value=0), left_on="session_id", right_index=True)
    sold = sold.merge(span, left_on="session_id", right_index=True)
    total = sold[["l1_count", "l2_count", "l3_count"]].sum(axis=1)
    middle = sold["min"] + (sold["max"] - sold["min"]) / 2
    numbers = ["promo_amount", "shipment_fee", "shipment_location_lat", "shipment_location_long", "total_amount"]
    return sold.assign(
        l1_ratio=100 * sold["l1_count"] / total,
        l2_ratio=100 * sold["l2_count"] / total,
        time_of_day=PARTS[middle.dt.hour // 6],
        session_minutes=(sold["created_at"] - sold["min"]).dt.total_seconds() / 60,
        age=np.floor((sold["created_at"] - pd.to_datetime(sold["birthdate"])).dt.days / 365.25 + 0.5),
        first_join_year=sold["first_join_date"].str[:4].astype(int),
        num_purchases=_purchases_before(shop, sold),
        **{name: sold[name].astype(float) for name in [*numbers, "clear_payment"]},
    )


def _purchases_before(shop: Shop, sold: pd.DataFrame) -> list[int]:
    past = shop.files["transactions.csv"]
    times = pd.to_datetime(past["created_at"]).to_numpy()
    rows_of = past.groupby(past["customer_id"].astype(int)).indices
    by_customer = {key: np.sort(times[rows]) for key, rows in rows_of.items()}
    pairs = zip(sold["customer_id"], sold["created_at"].to_numpy(), strict=True)
    return [int(np.searchsorted(by_customer.get(key, times[:0]), at)) for key, at in pairs]
