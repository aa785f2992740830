"""A hand-made zip of boosted trees that need no Spark: two stumps, whose Shapley values can be told by hand.

Stump 1: l1_ratio above 50 adds +1 to the margin, else -1. Stump 2: age above 30 adds +0.5, else -0.5. Half of the
training weight is on each side, so the base value is 0 and a contribution is what the column's stump adds.
"""

import io
import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from zips import TREES, assembler, entries, write_zip

NONE = {"featureIndex": -1, "leftCategoriesOrThreshold": [], "numCategories": -1}
FOLDER = "my_ML_model/stages/1_stage_1"


def _stump(tree: int, feature: int, threshold: float, adds: float) -> list[dict]:
    split = {"featureIndex": feature, "leftCategoriesOrThreshold": [threshold], "numCategories": -1}
    node = {"impurity": 0.0, "rawCount": 2, "gain": 0.0, "impurityStats": [2.0, 0.0, 2.0]}
    leaf = {**node, "impurityStats": [1.0, adds, 1.0], "leftChild": -1, "rightChild": -1, "split": NONE}
    nodes = [
        {**node, "id": 0, "prediction": 0.0, "leftChild": 1, "rightChild": 2, "split": split},
        {**leaf, "id": 1, "prediction": -adds},
        {**leaf, "id": 2, "prediction": adds},
    ]
    return [{"treeID": tree, "nodeData": each} for each in nodes]


def _parquet(rows: list[dict]) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), content)
    return content.getvalue()


def stumps_model(path: Path) -> Path:
    """The zip, with an assembler of l1_ratio and age."""
    contents = entries(assembler("l1_ratio", "age"), TREES)
    nodes = [*_stump(0, 0, 50.0, 1.0), *_stump(1, 1, 30.0, 0.5)]
    contents[f"{FOLDER}/data/part-00000.parquet"] = _parquet(nodes)
    trees = [{"treeID": tree, "metadata": json.dumps({}), "weights": 1.0} for tree in (0, 1)]
    contents[f"{FOLDER}/treesMetadata/part-00000.parquet"] = _parquet(trees)
    return write_zip(path, contents)


def probability(margin: float) -> float:
    """The probability of fraud that boosted trees give for this margin."""
    return 1 / (1 + math.exp(-2 * margin))


def scored(*rows: tuple[str, float, int]) -> pa.Table:
    """The model's predictions of (transaction_id, l1_ratio, age) rows, as 2.6 makes them."""
    margins = [(1 if l1_ratio > 50 else -1) + (0.5 if age > 30 else -0.5) for _, l1_ratio, age in rows]
    keys, l1_ratios, ages = zip(*rows, strict=True)
    return pa.table(
        {
            "transaction_id": keys,
            "customer_id": pa.array([7] * len(rows), pa.int32()),
            "total_amount": [487_304.0] * len(rows),
            "ts": pa.array([1_700_000_000] * len(rows), pa.int32()),
            "l1_ratio": l1_ratios,
            "age": pa.array(ages, pa.int32()),
            "probability": [[1 - probability(margin), probability(margin)] for margin in margins],
            "prediction": [float(margin > 0) for margin in margins],
            "imputed": pa.array([[]] * len(rows), pa.list_(pa.string())),
        }
    )
