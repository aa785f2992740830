"""What a scan of a file found: the counts and keys that the verdict is made of."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudstream.data.check.columns import TYPES
from fraudstream.schemas import BROWSING_KEYS, FILES, LEVELS, TRANSACTION_KEYS

TIMES = {name: next((c for c, type_ in schema.items() if type_ == "timestamp"), None) for name, schema in FILES.items()}
KEYS = {
    "category.csv": "category_id",
    "customer.csv": "customer_id",
    "product.csv": "id",
    "customer_session.csv": "session_id",
    "transactions.csv": "transaction_id",
    "new_transaction.csv": "transaction_id",
    "fraud_transaction.csv": "transaction_id",
    "new_fraud_transaction.csv": "transaction_id",
}
BROWSING_FILES = ("browsing_behaviour.csv", "new_browsing_behaviour.csv")
TRANSACTION_FILES = ("transactions.csv", "new_transaction.csv")
# the files whose rows become messages, or the past of them: without a value in these columns a row is quarantined
REQUIRED = dict.fromkeys(BROWSING_FILES, BROWSING_KEYS) | dict.fromkeys(TRANSACTION_FILES, TRANSACTION_KEYS)
EVENT_TYPES = frozenset(code for codes in LEVELS.values() for code in codes)
PAYMENT_STATES = frozenset({"Success", "Fail"})
# in whole rupiah
MONEY = ("promo_amount", "shipment_fee", "total_amount")


@dataclass
class Column:
    """What was found in a column: rows without a value, with a word such as NULL for it, and with an unreadable text
    (their number and the first of each); in MONEY also those that may have a thousands separator."""

    empty: int = 0
    words: int = 0
    word: str = ""
    unreadable: int = 0
    unreadable_row: int = 0
    unreadable_text: str = ""
    separators: int = 0
    separators_row: int = 0
    separators_text: str = ""


@dataclass
class Scan:
    """What one pass over a file found. Times are in microseconds; ``carts``: (row, product_id) of items.

    ``event_types``, ``payment_states``: number of each value that is none of the shop's.
    ``quarantined_rows``: numbers of the rows that the stream puts into quarantine. ``checkouts``: session and time of
    CO events.
    """

    name: str
    path: Path
    columns: list[str] = field(default_factory=list)
    rows: int = 0
    blank_rows: int = 0
    first_us: int | None = None
    last_us: int | None = None
    unordered_row: int | None = None
    without_time: int = 0
    without_time_row: int = 0
    quarantined_rows: list[np.ndarray] = field(default_factory=list)
    zones: set[str] = field(default_factory=set)
    found: dict[str, Column] = field(default_factory=dict)
    kept: dict[str, list[pa.Array]] = field(default_factory=dict)
    times_us: list[np.ndarray] = field(default_factory=list)
    carts: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    event_types: Counter = field(default_factory=Counter)
    odd_quantities: int = 0
    payment_states: Counter = field(default_factory=Counter)
    checkouts: list[pa.Table] = field(default_factory=list)

    def values(self, column: str) -> pa.ChunkedArray:
        """All values of a column that was kept, typed; the sessions of a browsing file each once."""
        values = pa.chunked_array(self.kept[column], TYPES[FILES[self.name][column]])
        return pa.chunked_array([pc.unique(values)]) if self.name in BROWSING_FILES else values

    @property
    def quarantined(self) -> int:
        """How many rows the stream puts into quarantine."""
        return sum(map(len, self.quarantined_rows))

    @cached_property
    def repeated_keys(self) -> int | None:
        """How many rows have a key that a row before has; None for a file without a key."""
        key = KEYS.get(self.name)
        if key is None:
            return None
        values = pc.drop_null(self.values(key))
        return len(values) - pc.count_distinct(values).as_py()
