"""Exact Shapley values of a tree ensemble, and of a linear model, per slot of the feature vector.

The game: with the slots of a set S known, a row walks down each tree; a node of a known slot sends it to its side, any
other node to both sides, in proportion to their training weight (path-dependent TreeSHAP; Lundberg et al., "From local
explanations to global understanding with explainable AI for trees", 2020).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fraudstream.model.explain.trees import NONE, Nodes

# rows at a time, and elements of the largest intermediate array, 0.8 MB: what a processor's cache holds
ROWS = 256
ELEMENTS = 100_000


@dataclass(frozen=True)
class _Leaves:
    """The leaves of one number K of distinct slots on their paths; L of them, Q points of quadrature.

    A pair is a leaf and a slot on its path. ``features``: the slot (L x K). ``nodes``, ``left``: the nodes of the pairs
    and the side that the path takes there, pair by pair; ``starts``: where each pair's nodes begin. ``value``: of the
    leaf (L). ``met``, ``unmet``: a pair's factor z(1-t) + t or z(1-t) at the points t, z its training share
    (L x K x Q). ``gain``, ``loss``: factors of its contribution, (1-z) w / met (L x K x Q) and -w / (1-t) (Q), w the
    points' weights.
    """

    features: np.ndarray
    nodes: np.ndarray
    left: np.ndarray
    starts: np.ndarray
    value: np.ndarray
    met: np.ndarray
    unmet: np.ndarray
    gain: np.ndarray
    loss: np.ndarray

    def add_to(self, total: np.ndarray, goes_left: np.ndarray) -> None:
        """Adds each pair's contribution to its slot of ``total``, rows x slots."""
        step = max(1, ELEMENTS // self.met.size)
        for begin in range(0, len(total), step):
            parts = self.contributions(goes_left[begin : begin + step])
            for row, part in enumerate(parts, begin):
                total[row] += np.bincount(self.features.ravel(), part.ravel(), minlength=total.shape[1])

    def contributions(self, goes_left: np.ndarray) -> np.ndarray:
        """Contribution of each pair, rows x L x K, for rows that go left at each node or not (rows x nodes).

        Per leaf with value V and pair i: V (o_i - z_i) times the integral over t in [0, 1] of the other pairs' product
        of z(1-t) + o t, o being 1 where the row meets the path's conditions on the slot, else 0. That is a polynomial
        in t of degree K-1, for which Gauss-Legendre with K//2 + 1 points is exact. The product is taken over all pairs
        and divided by the pair's own factor: where o is 0, (o - z) / (z(1-t)) is -1 / (1-t), so that a share of zero
        divides nothing by zero.
        """
        turned = goes_left[:, self.nodes] == self.left
        meets = np.logical_and.reduceat(turned, self.starts, axis=1).reshape(-1, *self.features.shape)
        product = np.repeat(self.value[None, :, None], len(goes_left), axis=0) * np.ones(len(self.loss))
        for pair in range(self.features.shape[1]):
            product *= np.where(meets[:, :, pair, None], self.met[:, pair], self.unmet[:, pair])
        gained = np.einsum("rlq,lkq->rlk", product, self.gain)
        return np.where(meets, gained, (product @ self.loss)[:, :, None])


@dataclass(frozen=True)
class TreeShapley:
    """Shapley values of ``nodes``; ``base``: the output when nothing is known, the mean over the training weight."""

    nodes: Nodes
    base: float
    leaves: tuple[_Leaves, ...]

    @classmethod
    def of(cls, nodes: Nodes) -> "TreeShapley":
        """Prepares the leaves' paths: some 10 microseconds per leaf and level."""
        by_size = defaultdict(list)
        base = 0.0
        for value, path in _paths(nodes):
            base += value * float(np.prod([share for share, _ in path.values()]))
            if path and value:
                by_size[len(path)].append((value, path))
        return cls(nodes, base, tuple(_prepared(group) for group in by_size.values()))

    def contributions(self, vectors: np.ndarray) -> np.ndarray:
        """Shapley value of each slot for each row of ``vectors`` (double, rows x slots); in the output's unit.

        A row's sum and ``base`` are the ensemble's output.
        """
        total = np.zeros(vectors.shape)
        for begin in range(0, len(vectors), ROWS):
            rows = slice(begin, begin + ROWS)
            goes_left = self.nodes.goes_left(vectors[rows])
            for leaves in self.leaves:
                leaves.add_to(total[rows], goes_left)
        return total


@dataclass(frozen=True)
class LinearShapley:
    """Shapley values of intercept + coefficients x vector against one ``reference`` row; ``base``: its output."""

    coefficients: np.ndarray
    reference: np.ndarray
    base: float

    def contributions(self, vectors: np.ndarray) -> np.ndarray:
        """Coefficient x (value - reference value) per slot, rows x slots, in log-odds."""
        return self.coefficients * (vectors - self.reference)


def _paths(nodes: Nodes) -> Iterator[tuple[float, dict[int, tuple[float, list[tuple[int, bool]]]]]]:
    """Each leaf: its value and, per distinct slot on its path, the training share and the (node, goes left) pairs."""
    left, right, feature = nodes.left.tolist(), nodes.right.tolist(), nodes.feature.tolist()
    weight, value = nodes.weight.tolist(), nodes.value.tolist()
    stack = [(root, {}) for root in nodes.roots.tolist()]
    while stack:
        node, path = stack.pop()
        if left[node] == NONE:
            yield value[node], path
            continue
        both = weight[left[node]] + weight[right[node]]
        share, conditions = path.get(feature[node], (1.0, []))
        for child, goes_left in ((left[node], True), (right[node], False)):
            part = weight[child] / both if both > 0 else 0.5  # no training weight came here
            stack.append((child, {**path, feature[node]: (share * part, [*conditions, (node, goes_left)])}))


def _prepared(group: list) -> _Leaves:
    """The leaves of one path length, (value, path) each, as arrays."""
    size = len(group[0][1])
    points, weights = np.polynomial.legendre.leggauss(size // 2 + 1)
    points, weights = (points + 1) / 2, weights / 2  # from [-1, 1] to [0, 1]
    pairs = [conditions for _, path in group for _, conditions in path.values()]
    nodes, left = zip(*(turn for conditions in pairs for turn in conditions), strict=True)
    share = np.array([[share for share, _ in path.values()] for _, path in group])[:, :, None]
    met = share * (1 - points) + points
    return _Leaves(
        features=np.array([list(path) for _, path in group]),
        nodes=np.array(nodes),
        left=np.array(left),
        starts=np.cumsum([0, *(len(conditions) for conditions in pairs[:-1])]),
        value=np.array([value for value, _ in group]),
        met=met,
        unmet=share * (1 - points),
        gain=(1 - share) * weights / met,
        loss=-weights / (1 - points),
    )
