"""The nodes of a saved tree ensemble, read from the zip's parquet without Spark, and the side that a value goes to."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fraudstream.errors import ModelError
from fraudstream.model.metadata import Stage

FORESTS = frozenset({"RandomForestClassificationModel", "DecisionTreeClassificationModel"})
BOOSTED = "GBTClassificationModel"
TREES = FORESTS | {BOOSTED}

# children of a leaf, number of categories of a threshold: what Spark saves for none
NONE = -1


@dataclass(frozen=True)
class Nodes:
    """All nodes of an ensemble, one array element per node; a tree's nodes follow each other, its root first.

    ``left``, ``right``: positions of the children, NONE for a leaf. ``feature``: slot of the feature vector that an
    inner node looks at. ``threshold``: double, NaN where the split is one of categories. ``category_row``: the node's
    row in ``categories``, NONE where the split is a threshold. ``categories``: bool, does the category (the column)
    go left; the last column is for values that are no category of the node. ``weight``: training weight that reached
    the node. ``value``: what the node adds to the ensemble's output, the tree's weight included. ``roots``: positions.
    """

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    category_row: np.ndarray
    categories: np.ndarray
    weight: np.ndarray
    value: np.ndarray
    roots: np.ndarray

    def goes_left(self, vectors: np.ndarray) -> np.ndarray:
        """Whether each row of ``vectors`` (double, rows x slots) goes left at each node: bool, rows x nodes.

        Spark's own rule. Threshold: left if value <= threshold, so NaN goes right. Categories: the saved set goes left
        if it is at most half of the node's categories, and all others right, a value outside of them and NaN too; if it
        is more than half, the complement goes right and all others left, a value outside of them and NaN too.
        """
        values = vectors[:, self.feature]
        left = values <= self.threshold
        split = np.flatnonzero(self.category_row != NONE)
        if split.size:
            found, other = values[:, split], self.categories.shape[1] - 1
            known = (found >= 0) & (found < other) & (found == np.floor(found))
            column = np.where(known, found, other).astype(np.int64)
            left[:, split] = self.categories[self.category_row[split], column]
        return left

    def output(self, vectors: np.ndarray) -> np.ndarray:
        """The ensemble's output for each row of ``vectors``: margin or probability, as ``read_nodes`` says."""
        left = self.goes_left(vectors)
        rows = np.arange(len(vectors))
        total = np.zeros(len(vectors))
        for root in self.roots:
            node = np.full(len(vectors), root)
            while (inner := self.left[node] != NONE).any():
                child = np.where(left[rows, node], self.left[node], self.right[node])
                node = np.where(inner, child, node)
            total += self.value[node]
        return total


def read_nodes(path: Path, archive: zipfile.ZipFile, stage: Stage) -> Nodes:
    """The nodes of the ensemble ``stage`` (one of TREES), as Spark 3.0 to 4.x saves them.

    Output of boosted trees: the margin, the sum of tree weight x prediction; probability = 1 / (1 + exp(-2 margin)). Of
    a forest or a single tree: the probability of class 1, the mean over the trees of the leaf's class shares.
    ``weight`` is taken from impurityStats: the population is the rows that the trees were trained on, as often as a
    forest drew them and as heavy as the classifier's weightCol made them; with balanced weights half of it is fraud.
    Raises ModelError where the nodes cannot be read.
    """
    data = _table(path, archive, f"{stage.folder}data/")
    nodes = _flat(data, "nodeData") if "nodeData" in data.column_names else data
    trees = data.column("treeID").to_numpy() if "treeID" in data.column_names else np.zeros(data.num_rows, np.int64)
    order = np.lexsort((nodes.column("id").to_numpy(), trees))
    nodes, trees = nodes.take(order), trees[order]
    roots = np.flatnonzero(np.diff(trees, prepend=NONE))
    sizes = np.diff(roots, append=len(trees))
    first = np.repeat(roots, sizes)  # position of each node's root
    ids, left, right = (nodes.column(name).to_numpy() for name in ("id", "leftChild", "rightChild"))
    if not np.array_equal(ids, np.arange(len(ids)) - first):
        raise ModelError(f"{path}: {stage.folder}data lacks nodes of its trees. Zip the whole folder again.")
    split = _flat(nodes, "split")
    categories, category_row = _categories(split)
    chosen = [each[0] if each else np.nan for each in split.column("leftCategoriesOrThreshold").to_pylist()]
    stats = np.array(nodes.column("impurityStats").to_pylist(), dtype=float)
    weight, value = _outputs(path, archive, stage, nodes, stats, trees)
    return Nodes(
        left=np.where(left == NONE, NONE, left + first),
        right=np.where(right == NONE, NONE, right + first),
        feature=np.maximum(split.column("featureIndex").to_numpy(), 0),  # a leaf's is never looked at
        threshold=np.where(category_row == NONE, np.array(chosen, dtype=float), np.nan),
        category_row=category_row,
        categories=categories,
        weight=weight,
        value=value,
        roots=roots,
    )


def _outputs(
    path: Path, archive: zipfile.ZipFile, stage: Stage, nodes: pa.Table, stats: np.ndarray, trees: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Training weight of each node and what it adds to the output.

    impurityStats of a class tree: the weight of each class; of a regression tree: weight, sum and sum of squares.
    """
    if stage.kind == BOOSTED:
        saved = _table(path, archive, f"{stage.folder}treesMetadata/")  # treeID, metadata, weights; or _1, _2, _3
        weights = saved.column(2).to_numpy()[np.argsort(saved.column(0).to_numpy())]
        return stats[:, 0], nodes.column("prediction").to_numpy() * weights[trees]
    if stats.shape[1] < 2:
        raise ModelError(f"{path}: {stage.kind} knows one class only. Train it on both.")
    weight = stats.sum(axis=1)
    return weight, stats[:, 1] / np.where(weight > 0, weight, 1) / len(np.unique(trees))


def _categories(split: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """``Nodes.categories`` and ``Nodes.category_row`` of the nodes' splits."""
    counts = split.column("numCategories").to_numpy()
    rows = np.flatnonzero(counts > 0)
    goes_left = np.zeros((len(rows), max(counts.max(initial=0), 0) + 1), dtype=bool)
    for row, position in enumerate(rows):
        saved = split.column("leftCategoriesOrThreshold")[position].as_py()
        goes_left[row, np.array(saved, dtype=int)] = True
        if len(saved) > counts[position] // 2:
            goes_left[row, counts[position] :] = True
    category_row = np.full(len(counts), NONE)
    category_row[rows] = np.arange(len(rows))
    return goes_left, category_row


def _flat(table: pa.Table, name: str) -> pa.Table:
    """The fields of the struct column ``name`` as columns."""
    column = table.column(name).combine_chunks()
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return pa.Table.from_batches([pa.RecordBatch.from_struct_array(chunk) for chunk in chunks])


def _table(path: Path, archive: zipfile.ZipFile, folder: str) -> pa.Table:
    """All parquet files of ``folder``. Raises ModelError where there is none, or one is unreadable."""
    names = [name for name in sorted(archive.namelist()) if name.startswith(folder) and name.endswith(".parquet")]
    names = [name for name in names if not name.rpartition("/")[2].startswith((".", "_"))]
    try:
        tables = [pq.read_table(io.BytesIO(archive.read(name))) for name in names]
        return pa.concat_tables([table for table in tables if table.num_rows] or tables).combine_chunks()
    except (pa.ArrowException, ValueError) as error:
        raise ModelError(f"{path}: {folder} cannot be read as parquet ({error}). Zip the folder again.") from error
