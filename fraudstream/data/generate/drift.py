"""A stream in which one feature drifts: its new values differ from the past's, everything else is alike."""

import numpy as np
import pandas as pd

from fraudstream.data.generate import draw

# features that can drift without taking others along
DRIFTS = ("session_minutes", "payment_method", "promo_amount", "shipment_fee")
SHARE_PERMILLE = 600  # of the transactions get another payment method, or free shipment
DIVISOR = 6  # sessions become so many times shorter, discounts smaller


def with_shorter_sessions(purchases: pd.DataFrame, drift: str) -> pd.DataFrame:
    """The purchases of the new period, in shorter sessions where session_minutes drifts; length_ms in ms."""
    if drift != "session_minutes":
        return purchases
    return purchases.assign(length_ms=np.maximum(purchases["length_ms"] // DIVISOR, 1000))


def with_drift(rng: np.random.Generator, transactions: pd.DataFrame, drift: str) -> pd.DataFrame:
    """The transactions of the new period with another payment_method, promo_amount or shipment_fee, where it drifts.

    total_amount remains the sum of the items - promo_amount + shipment_fee.
    """
    if drift not in ("payment_method", "promo_amount", "shipment_fee"):
        return transactions
    chosen = draw.chance(rng, SHARE_PERMILLE, len(transactions))
    before = transactions[drift].to_numpy()
    if drift == "payment_method":
        return transactions.assign(payment_method=np.where(chosen, "LinkAja", before))
    after = before // DIVISOR if drift == "promo_amount" else np.where(chosen, 0, before)
    saved = (after - before) * (-1 if drift == "promo_amount" else 1)
    return transactions.assign(total_amount=transactions["total_amount"] + saved, **{drift: after})
