"""What each scored row carries besides its prediction: model version, alert threshold, reasons of a flagged one (2.6).

The reasons are computed in ``foreachBatch``, on the rows that the driver holds already: a few rows of numpy, no Python
worker. They are frozen in the predictions, so that a later model or threshold does not change what was said.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudstream.errors import Note
from fraudstream.model import SavedModel
from fraudstream.model.explain.reasons import REASONS_TYPE, Explainer, as_column
from fraudstream.model.match import ModelMatch

# the threshold at which the model's own prediction counts
OWN_PREDICTION = 0.5
# the columns that a micro-batch gets after predicted_at, as Spark SQL DDL
EXPLANATION = (
    "model_version string, alert_threshold double, base_value double, "
    "reasons array<struct<feature:string,value:string,usual:string,contribution:double>>"
)
EXPLANATION_COLUMNS = ("model_version", "alert_threshold", "base_value", "reasons")


def raises_alert(rows: pa.Table, threshold: float) -> np.ndarray:
    """Whether each row (probability array<double>, prediction double) is an alert: bool.

    At a ``threshold`` of 0.5, the rows that the model itself predicts as fraud (prediction = 1); at any other, those
    whose probability of fraud is above it.
    """
    if threshold == OWN_PREDICTION:
        return rows["prediction"].to_numpy() == 1
    return pc.list_element(rows["probability"], 1).to_numpy() > threshold


def stored_alerts(rows: pa.Table) -> np.ndarray:
    """``raises_alert`` for the rows of one micro-batch's file, by the threshold that is stored with them.

    Files of earlier versions have none (null): there the model's own prediction counts.
    """
    threshold = rows["alert_threshold"][0].as_py() if rows.num_rows else None
    return raises_alert(rows, threshold or OWN_PREDICTION)


class Explanations:
    """The columns EXPLANATION of each micro-batch. ``why_not``: why there are no reasons, or empty.

    No error in here loses a prediction: it is said once, and the rows are stored without reasons.
    """

    def __init__(
        self, saved: SavedModel, matched: ModelMatch, threshold: float = OWN_PREDICTION, note: Note = print
    ) -> None:
        """Reads the model's trees or coefficients from its zip, some 0.1 s, and says in one line what is explained."""
        self.version, self.threshold, self._note = saved.version, threshold, note
        self.why_not, self._said = "", False
        try:
            self._explainer = Explainer.of(matched)
            self.why_not = self._explainer.why_not
        except Exception as error:  # noqa: BLE001 (a model that predicts must not fail because it is not understood)
            self.why_not = f"no reasons for this model ({type(error).__name__}: {error})"
        if self.why_not:
            note(f"Model {self.version}: {self.why_not}. Predictions continue without reasons.")
        else:
            explains, base = self._explainer.explains, self._explainer.base
            note(f"Model {self.version}: the reasons are Shapley values of the {explains}, base value {base:.3f}.")

    def columns(self, rows: pa.Table) -> dict[str, pa.Array]:
        """EXPLANATION_COLUMNS for a micro-batch's predictions (all columns of 2.6).

        base_value and reasons are null for rows that are neither predicted as fraud nor alerts, and for all rows of a
        model that has no reasons.
        """
        base, reasons = self._without_reasons(rows) if self.why_not else self._safely(rows)
        return {
            "model_version": pa.repeat(pa.scalar(self.version), rows.num_rows),
            "alert_threshold": pa.repeat(pa.scalar(float(self.threshold)), rows.num_rows),
            "base_value": base,
            "reasons": reasons,
        }

    def _safely(self, rows: pa.Table) -> tuple[pa.Array, pa.Array]:
        try:
            return self._with_reasons(rows)
        except Exception as error:  # noqa: BLE001 (whatever it is, the predictions must be stored)
            self._say_once(f"{type(error).__name__}: {error}")
            return self._without_reasons(rows)

    def _with_reasons(self, rows: pa.Table) -> tuple[pa.Array, pa.Array]:
        """base_value and reasons of each row."""
        flagged = (rows["prediction"].to_numpy() == 1) | raises_alert(rows, self.threshold)
        found = self._explainer.reasons(rows, flagged)
        given = np.array([bool(each) for each in found], dtype=bool)
        if (flagged & ~given).any():
            self._say_once("the contributions do not add up to the probability, or none speaks for fraud")
        base, nothing = pa.scalar(self._explainer.base, pa.float64()), pa.scalar(None, pa.float64())
        explained = pa.array(given)
        return (
            pc.if_else(explained, base, nothing),
            pc.if_else(explained, as_column(found), pa.scalar(None, REASONS_TYPE)),
        )

    def _without_reasons(self, rows: pa.Table) -> tuple[pa.Array, pa.Array]:
        return pa.nulls(rows.num_rows, pa.float64()), pa.nulls(rows.num_rows, REASONS_TYPE)

    def _say_once(self, reason: str) -> None:
        if not self._said:
            self._said = True
            self._note(f"Model {self.version}: predictions without reasons: {reason}. The stream continues.")
