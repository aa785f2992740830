"""Why a row was predicted as it was: the exact Shapley value of each of the stream's columns, the strongest first."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from fraudstream.model.archive import opened
from fraudstream.model.explain.shapley import LinearShapley, TreeShapley
from fraudstream.model.explain.stages import dense
from fraudstream.model.explain.trees import BOOSTED, TREES, read_nodes
from fraudstream.model.explain.vectors import Encoder, kept_stages
from fraudstream.model.match import ModelMatch
from fraudstream.model.metadata import stage_data

LINEAR = "LogisticRegressionModel"
MARGIN, PROBABILITY, LOG_ODDS = "margin", "probability", "log-odds"
# how many reasons a row gets at most
STRONGEST = 4
# a row whose contributions do not add up to its probability to this is not the row that was scored
TOLERANCE = 1e-6

REASONS_TYPE = pa.list_(
    pa.struct(
        [
            ("feature", pa.string()),
            ("value", pa.string()),
            ("usual", pa.string()),
            ("contribution", pa.float64()),
        ]
    )
)


@dataclass(frozen=True)
class Reason:
    """One column's part in a prediction.

    ``feature``: the stream's column. ``value``: the row's, None where it has none. ``usual``: a typical one in the
    training rows, None where it is not known. ``contribution``: in the explained output's unit, above 0 towards fraud.
    """

    feature: str
    value: str | float | None
    usual: str | float | None
    contribution: float


@dataclass(frozen=True)
class Explainer:
    """Reasons of one model's predictions. ``why_not``: why there are none ("no reasons for ..."), or empty.

    ``explains``: MARGIN of boosted trees (probability = 1 / (1 + exp(-2 margin))), PROBABILITY of class 1 of a forest
    or a tree, LOG_ODDS of a logistic regression. ``base``: this output when no column is known; base + all
    contributions = output. ``columns``: the stream's columns that the model takes. ``usual``: column -> typical
    training value.
    """

    why_not: str
    explains: str = ""
    base: float = 0.0
    columns: tuple[str, ...] = ()
    usual: Mapping[str, str | float | None] | None = None
    encoder: Encoder | None = None
    shapley: TreeShapley | LinearShapley | None = None

    @classmethod
    def of(cls, matched: ModelMatch, usual: Mapping[str, str | float | None] | None = None) -> "Explainer":
        """The explainer of ``matched``'s zip, read without Spark; another kind of model gives one with ``why_not``.

        ``usual``: column of the stream -> its median or most frequent value in the training rows. Where it has none,
        the pipeline's own is taken: an Imputer's surrogate, a StringIndexer's most frequent label. The base of trees is
        the mean over their training rows, each as heavy as in training (``read_nodes``). A logistic regression saves
        nothing of its training rows: its base is the log-odds of the row of all usual values, with which it compares.
        Raises ModelError where the zip is missing or its data cannot be read.
        """
        path = matched.signature.path
        with opened(path) as archive:
            classifier = kept_stages(matched, archive)[-1]
            if classifier.kind not in TREES | {LINEAR}:
                return cls(f"no reasons for this kind of model ({classifier.kind})")
            encoder = Encoder.of(matched)
            if encoder.cannot:
                return cls(f"no reasons for this model: {encoder.cannot}")
            known = {**encoder.usual, **{name: value for name, value in (usual or {}).items() if value is not None}}
            if classifier.kind == LINEAR:
                shapley = _linear(stage_data(path, archive, classifier), encoder.reference(known))
            else:
                shapley = TreeShapley.of(read_nodes(path, archive, classifier))
        explains = {BOOSTED: MARGIN, LINEAR: LOG_ODDS}.get(classifier.kind, PROBABILITY)
        columns = tuple(dict.fromkeys(pair.ours for pair in matched.columns))
        return cls("", explains, shapley.base, columns, known, encoder, shapley)

    def contributions(self, rows: pa.Table) -> np.ndarray:
        """Shapley value of each of ``columns`` for each of ``rows``: double, rows x columns.

        The values of a column's slots, such as the parts of its one-hot vector, are added up. ``rows`` need the columns
        of ``columns`` only, as the predictions have them.
        """
        by_slot = self.shapley.contributions(self.encoder.vectors(rows))
        places = [self.columns.index(source) for source in self.encoder.sources]
        by_column = np.zeros((len(by_slot), len(self.columns)))
        for slot, place in enumerate(places):
            by_column[:, place] += by_slot[:, slot]
        return by_column

    def reasons(
        self, rows: pa.Table, flagged: Sequence[bool] | None = None, strongest: int = STRONGEST
    ) -> list[list[Reason]]:
        """The ``strongest`` reasons of each row towards fraud, the strongest first; empty for rows not ``flagged``.

        ``flagged``: None for all. Only columns that speak for fraud count, so there may be fewer. Where ``rows`` have
        the column probability (array<double>), a row whose contributions do not add up to it gets none.
        """
        found: list[list[Reason]] = [[] for _ in range(rows.num_rows)]
        wanted = np.flatnonzero(np.ones(rows.num_rows, bool) if flagged is None else np.asarray(flagged, bool))
        if self.why_not or not wanted.size:
            return found
        chosen = rows.take(wanted)
        parts = self.contributions(chosen)
        agrees = self._adds_up(chosen, parts)
        values = {name: chosen.column(name).to_pylist() for name in self.columns}
        for row in np.flatnonzero(agrees):
            order = [place for place in np.argsort(-parts[row], kind="stable")[:strongest] if parts[row, place] > 0]
            found[wanted[row]] = [
                Reason(name, _present(values[name][row]), self.usual.get(name), float(parts[row, place]))
                for place in order
                for name in [self.columns[place]]
            ]
        return found

    def probability(self, output: np.ndarray) -> np.ndarray:
        """The probability of fraud that an ``output`` (base + contributions) stands for."""
        if self.explains == PROBABILITY:
            return output
        return 1 / (1 + np.exp(-output * (2 if self.explains == MARGIN else 1)))

    def _adds_up(self, rows: pa.Table, parts: np.ndarray) -> np.ndarray:
        """Whether each row's contributions give its stored probability; True without one."""
        if "probability" not in rows.column_names:
            return np.ones(rows.num_rows, dtype=bool)
        stored = np.array([each[1] for each in rows.column("probability").to_pylist()], dtype=float)
        return np.abs(self.probability(self.base + parts.sum(axis=1)) - stored) < TOLERANCE


def as_column(reasons: list[list[Reason]]) -> pa.Array:
    """``reasons`` as a column of REASONS_TYPE for parquet; numbers as texts, as one type must hold all values."""
    texts = [
        [asdict(each) | {"value": _as_text(each.value), "usual": _as_text(each.usual)} for each in row]
        for row in reasons
    ]
    return pa.array(texts, REASONS_TYPE)


def _present(value: str | float | None) -> str | float | None:
    """``value``; None for NaN, which is equal to nothing."""
    return value if value == value else None


def _as_text(value: str | float | None) -> str | None:
    return None if value is None else str(value)


def _linear(learnt: dict, reference: np.ndarray) -> LinearShapley:
    """Coefficients and intercept of class 1 against class 0; a multinomial model has a row of them per class."""
    matrix, intercept = learnt["coefficientMatrix"], dense(learnt["interceptVector"])
    shape = matrix["numRows"], matrix["numCols"]
    if matrix["type"] == 1:
        order = "C" if matrix["isTransposed"] else "F"
        coefficients = np.array(matrix["values"], dtype=float).reshape(shape, order=order)
    else:
        coefficients = _sparse(matrix)
    one = slice(1, 2) if learnt["isMultinomial"] else slice(0, 1)
    weights, constant = coefficients[one][0], intercept[one][0]
    if learnt["isMultinomial"]:
        weights, constant = weights - coefficients[0], constant - intercept[0]
    return LinearShapley(weights, reference, float(weights @ reference + constant))


def _sparse(matrix: dict) -> np.ndarray:
    """A matrix as Spark saves it in compressed columns, or rows where isTransposed."""
    turned = matrix["isTransposed"]
    shape = (matrix["numRows"], matrix["numCols"]) if turned else (matrix["numCols"], matrix["numRows"])
    full = np.zeros(shape)
    for line, (begin, end) in enumerate(pairwise(matrix["colPtrs"])):
        full[line, matrix["rowIndices"][begin:end]] = matrix["values"][begin:end]
    return full if turned else full.T
