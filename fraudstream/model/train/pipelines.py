"""Part A's two pipelines: the same preparation, then a random forest or gradient-boosted trees."""

from collections.abc import Collection, Mapping

from pyspark.ml import Pipeline
from pyspark.ml.base import Estimator, Transformer
from pyspark.ml.classification import GBTClassifier, RandomForestClassifier
from pyspark.ml.feature import Imputer, OneHotEncoder, StringIndexer, VectorAssembler

CATEGORIES = ("time_of_day", "gender", "payment_method", "payment_status")
NUMBERS = (
    "l1_count",
    "l2_count",
    "l3_count",
    "l1_ratio",
    "l2_ratio",
    "session_minutes",
    "age",
    "first_join_year",
    "num_purchases",
    "promo_amount",
    "shipment_fee",
    "shipment_location_lat",
    "shipment_location_long",
    "total_amount",
    "clear_payment",
)
SEED = 42
CLASSIFIERS = {"random_forest": RandomForestClassifier, "gradient_boosted_trees": GBTClassifier}

Parameters = Mapping[str, object]

# Not tuned. More bins than Spark's 32, with which thresholds on amounts and minutes are too coarse; a smallest leaf, so
# that no tree learns single frauds.
FIXED: dict[str, Parameters] = {
    "random_forest": {"featureSubsetStrategy": "onethird", "maxBins": 64, "minInstancesPerNode": 2},
    "gradient_boosted_trees": {"maxBins": 255, "minInstancesPerNode": 10},
}
# Best of GRID on the default data (`python -m fraudstream train --tune`; docs/measurements.md has the figures), but for
# the forest's trees: 120 of them instead of 60 take twice the time for an area larger by 0.003
CHOSEN: dict[str, dict[str, object]] = {
    "random_forest": {"numTrees": 60, "maxDepth": 12, "weighted": False},
    "gradient_boosted_trees": {"maxIter": 100, "maxDepth": 4, "stepSize": 0.3, "weighted": False},
}
GRID: dict[str, list[dict[str, object]]] = {
    "random_forest": [
        {"numTrees": 60, "maxDepth": 8, "weighted": False},
        {"numTrees": 60, "maxDepth": 12, "weighted": False},
        {"numTrees": 60, "maxDepth": 12, "weighted": True},
        {"numTrees": 120, "maxDepth": 12, "weighted": False},
    ],
    "gradient_boosted_trees": [
        {"maxIter": 60, "maxDepth": 3, "stepSize": 0.3, "weighted": False},
        {"maxIter": 60, "maxDepth": 4, "stepSize": 0.1, "weighted": False},
        {"maxIter": 60, "maxDepth": 4, "stepSize": 0.3, "weighted": False},
        {"maxIter": 60, "maxDepth": 4, "stepSize": 0.3, "weighted": True},
        {"maxIter": 60, "maxDepth": 5, "stepSize": 0.3, "weighted": False},
        {"maxIter": 100, "maxDepth": 4, "stepSize": 0.3, "weighted": False},
    ],
}


def preparation(known: Collection[str] = (*CATEGORIES, *NUMBERS)) -> list[Estimator | Transformer]:
    """The stages before the classifier, on the columns ``known``: index, encode, impute, assemble to ``features``.

    handleInvalid="keep" everywhere: a row with an unknown or missing category is predicted like any other.
    """
    categories, numbers = ([name for name in names if name in known] for names in (CATEGORIES, NUMBERS))
    indexed, encoded = [f"{name}_index" for name in categories], [f"{name}_vector" for name in categories]
    filled = [f"{name}_filled" for name in numbers]
    return [
        StringIndexer(inputCols=categories, outputCols=indexed, handleInvalid="keep"),
        OneHotEncoder(inputCols=indexed, outputCols=encoded, handleInvalid="keep"),
        Imputer(inputCols=numbers, outputCols=filled, strategy="median"),
        VectorAssembler(inputCols=filled + encoded, outputCol="features", handleInvalid="keep"),
    ]


def classifier(name: str, chosen: Parameters | None = None) -> Estimator:
    """The classifier ``name`` with ``chosen`` parameters (default: CHOSEN). ``weighted``: classes weigh the same."""
    chosen = CHOSEN[name] if chosen is None else chosen
    parameters = {key: value for key, value in {**FIXED[name], **chosen}.items() if key != "weighted"}
    weight = {"weightCol": "weight"} if chosen["weighted"] else {}
    return CLASSIFIERS[name](labelCol="label", seed=SEED, **weight, **parameters)


def pipeline(name: str, known: Collection[str] = (*CATEGORIES, *NUMBERS), chosen: Parameters | None = None) -> Pipeline:
    """Part A's pipeline on the columns ``known``: preparation, and the classifier ``name``."""
    return Pipeline(stages=[*preparation(known), classifier(name, chosen)])


def shown(chosen: Parameters) -> str:
    """``chosen`` in words: "60 trees of depth 4, step 0.3, no class weights"."""
    trees = chosen.get("numTrees", chosen.get("maxIter"))
    step = f", step {chosen['stepSize']:g}" if "stepSize" in chosen else ""
    weights = "class weights" if chosen["weighted"] else "no class weights"
    return f"{trees} trees of depth {chosen['maxDepth']}{step}, {weights}"
