"""Prepares the stream's rows for a model: its columns under its names, without values that would make it drop a row."""

from collections import Counter
from dataclasses import dataclass
from functools import reduce

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.ml import PipelineModel, Transformer
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from fraudstream.errors import ModelError
from fraudstream.model.match import NUMERIC, ColumnMatch, ModelMatch
from fraudstream.model.signature import NUMBER, TEXT

# The transaction with all its features as one struct, next to the model's columns under the model's names. A model may
# call its columns and outputs as it likes, so these names, and those of the last outputs, are ones that nobody chooses
ROW, IMPUTED = "_fraudstream_row", "_fraudstream_imputed"
OUTPUTS = {name: f"_fraudstream_{name}" for name in ("rawPrediction", "probability", "prediction")}
FLOATS = ("double", "float")
UNKNOWN = "a category that no model knows"


def with_model_columns(features: DataFrame, matched: ModelMatch) -> DataFrame:
    """Each row of ``features`` as a struct in ROW, the model's own columns, and IMPUTED.

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


@dataclass(frozen=True)
class Scoring:
    """The stages of a model that lead to its prediction."""

    model: PipelineModel

    def transform(self, rows: DataFrame) -> DataFrame:
        """``rows`` (of ``with_model_columns``) with their predictions.

        Out: row (struct, the transaction with its features), rawPrediction and probability (vector), prediction
        (double, 1 is fraud), imputed (array<string>).
        """
        outputs = [F.col(inside).alias(name) for name, inside in OUTPUTS.items()]
        return self.model.transform(rows).select(F.col(ROW).alias("row"), *outputs, F.col(IMPUTED).alias("imputed"))


def scoring_stages(model: PipelineModel, matched: ModelMatch) -> Scoring:
    """The stages of the loaded ``model`` that lead to its prediction; its outputs get names that nothing else has.

    Stages that only prepare the label are left out, because the stream has no label. Raises ModelError when ``model``
    is not the one of ``matched``.
    """
    stages = [stage.copy() for stage in _flat(model)]
    if len(stages) != len(matched.signature.stages):
        raise ModelError(f"{matched.signature.path}: changed after it was checked. Run the cells from 2.6 again.")
    *preparing, classifier = [stages[position] for position in matched.signature.kept]
    classifier.setRawPredictionCol(OUTPUTS["rawPrediction"]).setProbabilityCol(OUTPUTS["probability"])
    classifier.setPredictionCol(OUTPUTS["prediction"])
    return Scoring(PipelineModel([*preparing, classifier]))


def try_out(scoring: Scoring, matched: ModelMatch, features: DataFrame) -> None:
    """Predicts two made-up rows of ``features``' schema: one of nulls, one with categories that no model has learned.

    Raises ModelError when a row is lost or the model stops, before the stream starts.
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
        path, reason = matched.signature.path, _reason(error)
        raise ModelError(f"{path}: the model cannot predict the stream's rows: {reason}") from error
    if len(predicted) != 2 or None in [row.prediction for row in predicted]:
        raise ModelError(f"{matched.signature.path}: the model loses rows whose values it does not know.")


def _reason(error: PySparkException | Py4JJavaError) -> str:
    """The line with the reason: the first one, or the last one of a Python worker's traceback."""
    said = error.java_exception.getMessage() if isinstance(error, Py4JJavaError) else str(error)
    first, *others = str(said).strip().splitlines()
    raised = [line for line in others if line[:1].strip() and "Error" in line]
    return f"{first} {raised[-1]}" if first.endswith(":") and raised else first


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
    if taken.kind == TEXT:
        return F.coalesce(column.cast("string"), F.lit("")), column.isNull()
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
    by_normal = dict(zip(reversed(normals), reversed(labels), strict=True))  # the first of equal ones
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
