"""Prepares the stream's rows for a model: its columns under its names, without values that would make it drop a row."""

from collections import Counter
from functools import reduce

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.ml import PipelineModel, Transformer
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from fraudstream.errors import ModelError
from fraudstream.model.match import NUMERIC, ColumnMatch, ModelMatch
from fraudstream.model.signature import NUMBER

# the unchanged transaction with all its features, as a struct; the model's columns are added under the model's names
ROW = "row"
IMPUTED = "imputed"
FLOATS = ("double", "float")
UNKNOWN = "a category that no model knows"


def with_model_columns(features: DataFrame, matched: ModelMatch) -> DataFrame:
    """Packs each row of ``features`` into the struct ROW, and adds the model's own columns and IMPUTED.

    A value that the model does not know (null, or a category that it has not learned) is replaced in the model's column
    only: by the most frequent label of its training, or by a stated number (``ColumnMatch.fill_value``). A model that
    handles such values itself (handleInvalid="keep", an Imputer) gets the value unchanged. IMPUTED array<string>: our
    names of the columns concerned, in both cases; mostly empty.
    """
    values, unknown = [], {}
    for pair in matched.columns:
        value, is_unknown = _value(pair, features.schema)
        values.append(value.alias(pair.input.column))
        if is_unknown is not None:
            unknown[pair.ours] = is_unknown
    names = [F.when(holds, name) for name, holds in unknown.items()]
    imputed = F.array_compact(F.array(*names)) if names else F.array().cast("array<string>")
    return features.select(F.struct(*features.columns).alias(ROW), *values, imputed.alias(IMPUTED))


def scoring_stages(model: PipelineModel, matched: ModelMatch) -> PipelineModel:
    """The stages of the loaded ``model`` that lead to its prediction: rawPrediction, probability and prediction.

    Stages that only prepare the label are left out, because the stream has no label.
    """
    stages = [stage.copy() for stage in _flat(model)]
    if len(stages) != len(matched.signature.stages):
        raise ModelError(f"{matched.signature.path}: changed after it was checked. Run the cells from 2.6 again.")
    *preparing, classifier = [stages[position] for position in matched.signature.kept]
    classifier.setRawPredictionCol("rawPrediction").setProbabilityCol("probability").setPredictionCol("prediction")
    return PipelineModel([*preparing, classifier])


def try_out(scoring: PipelineModel, matched: ModelMatch, features: DataFrame) -> None:
    """Predicts two made-up rows with the schema of ``features``: one of nulls, one with unknown categories.

    Raises ModelError when the model drops a row or fails, so that it cannot happen in the middle of the stream.
    """
    schema = StructType.fromJson(features.schema.jsonValue())
    nothing = [None] * len(schema)
    strange = [UNKNOWN if field.dataType.simpleString() == "string" else None for field in schema]
    for field in schema:
        field.nullable = True
    rows = features.sparkSession.createDataFrame([nothing, strange], schema)
    try:
        predicted = scoring.transform(with_model_columns(rows, matched)).select("prediction").collect()
    except (PySparkException, Py4JJavaError) as error:
        said = error.java_exception.getMessage() if isinstance(error, Py4JJavaError) else str(error)
        reason = said.strip().splitlines()[0]
        raise ModelError(f"{matched.signature.path}: the model cannot predict the stream's rows: {reason}") from error
    if len(predicted) != 2 or None in [row.prediction for row in predicted]:
        raise ModelError(f"{matched.signature.path}: the model loses rows whose values it does not know.")


def _flat(stage: Transformer) -> list[Transformer]:
    """The pipeline's stages, with nested pipelines and tuned models flattened."""
    inside = getattr(stage, "stages", None) or ([stage.bestModel] if hasattr(stage, "bestModel") else None)
    return [stage] if inside is None else [each for one in inside for each in _flat(one)]


def _value(pair: ColumnMatch, schema: StructType) -> tuple[Column, Column | None]:
    """The value for the model's column, and whether the stream's value is unknown to the model (None: never)."""
    column, taken = F.col(pair.ours), pair.input
    if taken.labels:
        known = _known_label(pair)
        unknown = F.isnull(known)
        value = F.coalesce(known, column.cast("string") if pair.fill_value is None else F.lit(pair.fill_value))
        return (value.cast(_number_type(taken.labels)) if taken.numeric else value), unknown
    absent = [column.isNull()] if schema[pair.ours].nullable else []
    absent += [F.isnan(column)] if pair.type in FLOATS else []
    if taken.kind != NUMBER or not absent:
        return column, None
    unknown = reduce(Column.__or__, absent)
    return (column if pair.fill_value is None else F.when(unknown, pair.fill_value).otherwise(column)), unknown


def _known_label(pair: ColumnMatch) -> Column:
    """The model's spelling of the stream's value (string); null for null and for a value that it does not know."""
    labels = pair.input.labels
    text, normal = _texts(pair)
    normals = [_normal(label, pair.type) for label in labels]
    if set(normals) == {"true", "false"} and pair.type in NUMERIC:
        normals = [{"true": "1", "false": "0"}[each] for each in normals]
    by_normal = dict(zip(reversed(normals), reversed(labels), strict=True))  # of two equal ones the first
    spelt = F.create_map(*[F.lit(each) for item in by_normal.items() for each in item])
    known = F.try_element_at(spelt, normal)
    if max(Counter(normals).values()) == 1:
        return known
    return F.when(text.isin(*labels), text).otherwise(known)  # labels that differ only in case


def _texts(pair: ColumnMatch) -> tuple[Column, Column]:
    """The stream's value as text, and as normalised text (case, spaces, 1.0 for 1)."""
    column = F.col(pair.ours)
    text = column.cast("string")
    if pair.type == "string":
        return text, F.lower(F.trim(text))
    if pair.type in FLOATS:
        whole = column.try_cast("bigint")
        return text, F.when(whole.cast("double") == column, whole.cast("string")).otherwise(text)
    return text, text


def _normal(label: str, type_: str) -> str:
    """``label`` normalised as in ``_texts``: 1.0 becomes 1 if the stream's column is a number."""
    text = label.strip().lower()
    if type_ not in NUMERIC:
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else str(number)


def _number_type(labels: tuple[str, ...]) -> str:
    """The type whose text looks like the model's labels: bigint or double."""
    return "bigint" if all(label.lstrip("-").isdigit() for label in labels) else "double"
