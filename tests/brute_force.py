"""Shapley values by their definition: all subsets of the slots that a tree looks at. Slow, and independent of ours."""

from math import factorial

import numpy as np

from fraudstream.model.explain.trees import NONE, Nodes


def shapley(nodes: Nodes, vectors: np.ndarray) -> tuple[float, np.ndarray]:
    """The output that is expected when no slot is known, and each slot's Shapley value for each row (rows x slots).

    The nodes' sides are taken as ``Nodes.goes_left`` gives them; a test compares them with Spark's own predictions.
    """
    sides, values, base = nodes.goes_left(vectors), np.zeros(vectors.shape), 0.0
    ends = [*nodes.roots[1:], len(nodes.left)]
    for root, end in zip(nodes.roots, ends, strict=True):
        used = sorted({int(nodes.feature[node]) for node in range(root, end) if nodes.left[node] != NONE})
        known = [{slot for bit, slot in enumerate(used) if subset >> bit & 1} for subset in range(1 << len(used))]
        expected = np.array([_expected(nodes, root, sides, slots) for slots in known])
        base += expected[0, 0]
        for bit, slot in enumerate(used):
            for subset in range(1 << len(used)):
                if not subset >> bit & 1:
                    size = len(known[subset])
                    chance = factorial(size) * factorial(len(used) - size - 1) / factorial(len(used))
                    values[:, slot] += chance * (expected[subset | 1 << bit] - expected[subset])
    return base, values


def _expected(nodes: Nodes, node: int, sides: np.ndarray, known: set[int]) -> np.ndarray:
    """The tree's output below ``node`` for each row, if only the slots of ``known`` are known."""
    left, right = nodes.left[node], nodes.right[node]
    if left == NONE:
        return np.full(len(sides), nodes.value[node])
    one, other = (_expected(nodes, child, sides, known) for child in (left, right))
    if nodes.feature[node] in known:
        return np.where(sides[:, node], one, other)
    return (nodes.weight[left] * one + nodes.weight[right] * other) / (nodes.weight[left] + nodes.weight[right])
