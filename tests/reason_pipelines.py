"""Pipelines of each kind that reasons are given for, with small classifiers."""

from pyspark.ml import Pipeline
from pyspark.ml.classification import (
    DecisionTreeClassifier,
    GBTClassifier,
    LogisticRegression,
    RandomForestClassifier,
)
from pyspark.ml.feature import (
    Binarizer,
    Bucketizer,
    Imputer,
    StandardScaler,
    StringIndexer,
    VectorAssembler,
    VectorIndexer,
)
from students import CATEGORIES, NUMBERS

from fraudstream.model.train import fit

WEIGHTED = {"labelCol": "label", "weightCol": "weight", "seed": 3}


def our_pipelines():
    """Name -> our pipeline with a small classifier of a kind; class weights as in training."""
    classifiers = {
        "boosted": GBTClassifier(maxIter=4, maxDepth=4, minInstancesPerNode=2, **WEIGHTED),
        "forest": RandomForestClassifier(numTrees=5, maxDepth=4, **WEIGHTED),
        "tree": DecisionTreeClassifier(maxDepth=4, **WEIGHTED),
        "logistic": LogisticRegression(labelCol="label", weightCol="weight", maxIter=5),
        "multinomial": LogisticRegression(family="multinomial", maxIter=5, elasticNetParam=1.0, regParam=0.1),
    }
    preparing = fit.pipeline("random_forest").getStages()[:-1]
    return {name: Pipeline(stages=[*preparing, classifier]) for name, classifier in classifiers.items()}


def index_pipeline():
    """Students who do not encode: categories of more than two values go to the trees as indices."""
    indexers = [StringIndexer(inputCol=name, outputCol=f"{name}_idx", handleInvalid="keep") for name in CATEGORIES]
    inputs = [*(f"{name}_idx" for name in CATEGORIES), *NUMBERS]
    assembler = VectorAssembler(inputCols=inputs, outputCol="features", handleInvalid="keep")
    forest = RandomForestClassifier(numTrees=6, maxDepth=4, seed=2, minInstancesPerNode=2)
    return Pipeline(stages=[*indexers, assembler, forest])


def pipeline_of_many_stages():
    """All other stages that are followed; an Imputer of whole numbers, whose mean is cut off."""
    infinity = float("inf")
    stages = [
        Imputer(inputCols=["age", "total_amount"], outputCols=["age_filled", "total_filled"], strategy="mean"),
        Bucketizer(
            splits=[-infinity, 21, 28, 35, infinity], inputCol="age_filled", outputCol="bucket", handleInvalid="keep"
        ),
        Binarizer(threshold=250_000, inputCol="total_filled", outputCol="large"),
        StringIndexer(inputCol="gender", outputCol="gender_idx", handleInvalid="keep"),
        VectorAssembler(inputCols=["l1_ratio", "l2_ratio", "l3_count"], outputCol="numbers", handleInvalid="keep"),
        StandardScaler(inputCol="numbers", outputCol="scaled", withMean=True),
        VectorAssembler(inputCols=["bucket", "large", "gender_idx", "scaled"], outputCol="all", handleInvalid="keep"),
        VectorIndexer(inputCol="all", outputCol="features", maxCategories=4, handleInvalid="keep"),
        GBTClassifier(maxIter=3, maxDepth=4, seed=1, minInstancesPerNode=2),
    ]
    return Pipeline(stages=stages)
