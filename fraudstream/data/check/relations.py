"""How the transactions join with the other files: sessions, customers, products, times."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudstream.data.check.result import Scan

RELATIONS = ("transactions", "with a session", "customer not known", "product not known", "outside the events' time")


def relations(scans: dict[str, Scan], sold: Scan, browsing: Scan | None) -> list[str]:
    """RELATIONS of a transaction file as texts: the rows, those with a session in ``browsing``, and so on."""
    texts = [f"{sold.rows:,}", *["?"] * 4]
    if browsing:
        matched = _count_in(sold.values("session_id"), browsing.values("session_id"))
        texts[1] = f"{matched / sold.rows:.1%}" if sold.rows else "none"
        times = np.concatenate(sold.times_us) if sold.times_us else np.array([], dtype=np.int64)
        if browsing.first_us is not None:
            texts[4] = f"{int(((times < browsing.first_us) | (times > browsing.last_us)).sum()):,}"
    if "customer.csv" in scans:
        known = _count_in(sold.values("customer_id"), scans["customer.csv"].values("customer_id"))
        texts[2] = f"{sold.rows - known:,}"
    if "product.csv" in scans:
        products = pc.cast(scans["product.csv"].values("id").drop_null(), pa.int64()).to_numpy()
        unknown = [rows[~np.isin(items, products)] for rows, items in sold.carts]
        texts[3] = f"{len(np.unique(np.concatenate(unknown))) if unknown else 0:,}"
    return texts


def checkouts_after(sold: Scan, browsing: Scan) -> int:
    """Number of transactions that are earlier than every CO event of their session (at least one)."""
    both = _with_checkouts(sold, browsing)
    return 0 if both is None else pc.sum(pc.less(both["created_at"], both["time_min"])).as_py() or 0


def checkouts_before(sold: Scan, browsing: Scan) -> int:
    """Number of transactions that are later than every CO event of their session (at least one)."""
    both = _with_checkouts(sold, browsing)
    return 0 if both is None else pc.sum(pc.greater(both["created_at"], both["time_max"])).as_py() or 0


def _with_checkouts(sold: Scan, browsing: Scan) -> pa.Table | None:
    """created_at, time_min, time_max of the transactions whose session has a CO event."""
    if not browsing.checkouts:
        return None
    times = pa.concat_tables(browsing.checkouts).group_by("session_id").aggregate([("time", "min"), ("time", "max")])
    bought = pa.table({"session_id": sold.values("session_id"), "created_at": sold.values("created_at")})
    return bought.join(times, "session_id", join_type="inner", use_threads=False)


def _count_in(values: pa.ChunkedArray, known: pa.ChunkedArray) -> int:
    found = pc.is_in(pc.drop_null(values), value_set=pc.drop_null(known).combine_chunks())
    return pc.sum(found).as_py() or 0
