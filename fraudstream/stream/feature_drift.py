"""Drift of the features in the last minutes of the stream, for the health panel."""

from collections import deque
from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from fraudstream.model.drift import MIN_ROWS, drifted

WINDOW_S = 600
# seconds between two computations: some 30 ms for ten minutes of rows
EVERY_S = 10


class FeatureDrift:
    """The transactions sent in the last WINDOW_S seconds, compared with those that the model was judged on."""

    def __init__(self, features: Mapping[str, Mapping] | None) -> None:
        """``features``: of ``SavedModel.reference``; None: there is nothing to compare with."""
        self.columns = tuple(features or ())
        self._features = features or {}
        self._rows: deque[pd.DataFrame] = deque()
        self._text, self._computed_at = "", 0.0

    def add(self, table: pa.Table) -> None:
        """Adds the predictions of a micro-batch: transaction_id, ts and ``columns``."""
        if self.columns and table.num_rows:
            self._rows.append(table.select(["transaction_id", "ts", *self.columns]).to_pandas())
            newest = self._rows[-1].ts.max()
            while self._rows[0].ts.max() <= newest - WINDOW_S:
                self._rows.popleft()

    def text(self, now: float) -> str:
        """The marked features with their index, the largest first; ``now``: Unix seconds. Empty without a reference."""
        if self.columns and (not self._text or now >= self._computed_at + EVERY_S):
            self._text, self._computed_at = self._compute(), now
        return self._text

    def _compute(self) -> str:
        rows = pd.concat(self._rows) if self._rows else pd.DataFrame({"transaction_id": []})
        rows = rows.drop_duplicates("transaction_id", keep="last")
        found = drifted(self._features, rows)
        if found is None:
            return f"not yet known, {len(rows):,} of {MIN_ROWS:,} transactions"
        return ", ".join(f"{name} {index:.2f}" for name, index in found.items()) or "none"
