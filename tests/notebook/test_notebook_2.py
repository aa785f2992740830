"""The Task 2 notebook as the grader reads it, and its schemas compared with the package's."""

import nbformat
import pytest
from task2 import NOTEBOOK

from fraudstream.schemas import CATEGORY, CUSTOMER, NEW_BROWSING, PRODUCT, TRANSACTION


@pytest.fixture(scope="module")
def cells():
    return nbformat.read(NOTEBOOK, as_version=4).cells


def test_schemas_are_those_of_the_package(spark, cells):
    (code,) = [cell.source for cell in cells if "schemas" in cell.metadata.get("tags", [])]
    defined: dict[str, str] = {}
    exec(code, defined)
    expected = {
        "customer_schema": CUSTOMER,
        "product_schema": PRODUCT,
        "category_schema": CATEGORY,
        "browsing_schema": NEW_BROWSING,
        "transaction_schema": TRANSACTION,
    }
    found = {name: dict(spark.createDataFrame([], defined[name]).dtypes) for name in expected}
    assert found == expected
    assert [list(columns) for columns in found.values()] == [list(columns) for columns in expected.values()]


def test_what_is_graded_stands_in_the_notebook(cells):
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    calls = [
        "SparkConf()",
        '.set("spark.sql.session.timeZone", "Australia/Melbourne")',
        "spark.sql.streaming.checkpointLocation",
        "ingest(spark.readStream, TRANSACTION_TOPIC",
        'reader.format("kafka")',
        "F.count_if(",
        "numRowsDroppedByWatermark",
        "F.from_json(",
        '.withWatermark("event_time", "1 minute")',
        ".join(",
        ".groupBy(",
        "printSchema()",
        "extractall(",
        "PipelineModel.load(",
        ".writeStream",
        ".foreachBatch(",
        "spark.read.schema(stored_schema).parquet(",
        'F.window("event_time", "2 minutes", "10 seconds")',
        '.trigger(processingTime="10 seconds")',
        '.trigger(processingTime="30 seconds")',
        '.trigger(processingTime="1 minute")',
        "sum(prediction = 1)",
        "sum(quantity)",
    ]
    assert [call for call in calls if call not in code] == []
