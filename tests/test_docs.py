"""The documents say what the code does, and the notebooks are what the assignment asks for."""

import re
from contextlib import closing
from sqlite3 import connect

import nbformat
import pytest

from fraudstream.features import FEATURES
from fraudstream.runtime.jars import ROOTS, locked
from fraudstream.schemas import TRANSACTION
from fraudstream.settings import PROJECT
from fraudstream.stream.ingest import QUARANTINE_COLUMNS
from fraudstream.stream.reports import Reports
from tools.readme import README, filled

REQUIREMENTS = {
    "A2B-Task1_producer.ipynb": "1.1 1.2 1.3 1.4 1.5",
    "A2B-Task2_spark_streaming.ipynb": "2.1 2.2 2.3 2.4 2.5 2.6 2.7 2.7a 2.7b 2.7c",
    "A2B-Task3_consumer.ipynb": "3.1 3.2 3.3",
}
LONGEST_CELL = 25
PREDICTIONS = ("ts", "event_time", "rawPrediction", "probability", "prediction", "imputed", "predicted_at", "batch_id")
SPARK_JARS = "org.apache.spark:"

notebooks = pytest.mark.parametrize("notebook", REQUIREMENTS)


def cells(notebook, kind):
    return [each for each in nbformat.read(PROJECT / notebook, as_version=4).cells if each.cell_type == kind]


def readme():
    return README.read_text(encoding="utf-8")


@notebooks
def test_every_requirement_has_one_heading_in_order(notebook):
    text = "\n".join(cell.source for cell in cells(notebook, "markdown"))
    assert " ".join(re.findall(r"^#+ (\d\.\d\w?) ", text, re.MULTILINE)) == REQUIREMENTS[notebook]


@notebooks
def test_no_cell_is_longer_than_a_screen(notebook):
    assert [cell.source for cell in cells(notebook, "code") if len(cell.source.splitlines()) > LONGEST_CELL] == []


@notebooks
def test_notebooks_are_committed_without_outputs(notebook):
    assert [cell.outputs for cell in cells(notebook, "code") if cell.outputs or cell.execution_count] == []


def test_readme_has_the_settings_and_commands_that_the_code_has():
    assert readme() == filled(readme()), "run: make docs"


@pytest.mark.parametrize("column", [*TRANSACTION, *FEATURES, *PREDICTIONS, *QUARANTINE_COLUMNS])
def test_readme_names_every_column_of_the_predictions_and_of_the_quarantine(column):
    assert f"`{column}`" in readme()


def test_readme_names_every_report_with_its_columns(tmp_path):
    Reports(tmp_path / "reports.sqlite")
    with closing(connect(tmp_path / "reports.sqlite")) as file:
        tables = [name for (name,) in file.execute("select name from sqlite_master where type = 'table'")]
        reports = [name for name in tables if not name.endswith("_by_transaction")]
        columns = {name: [row[1] for row in file.execute(f"pragma table_info({name})")] for name in reports}
    for name in reports:
        assert f"| `{name}` | {' '.join(f'`{column}`' for column in columns[name])} |" in readme()


@pytest.mark.parametrize("document", ["README.md", "models/README.md", "data/README.md", "docs/architecture.md"])
def test_files_that_a_document_names_are_there(document):
    path = PROJECT / document
    text = path.read_text(encoding="utf-8")
    linked = [path.parent / name for name in re.findall(r"[^!]\[[^]]*\]\(([^):#]+)\)", text)]
    named = [PROJECT / name for name in re.findall(r"`((?:tests|fraudstream|tools|docs)/[\w./]+)`", text)]
    assert [str(each) for each in linked + named if not each.exists()] == []


@pytest.mark.parametrize("test", sorted(set(re.findall(r"`(test_\w+)`", README.read_text(encoding="utf-8")))))
def test_tests_that_the_readme_names_exist(test):
    assert any(f"def {test}(" in path.read_text(encoding="utf-8") for path in (PROJECT / "tests").rglob("test_*.py"))


def test_architecture_has_every_room_in_the_rows_of_the_contract():
    contract = re.search(r"layers = \[(.*?)\]", (PROJECT / "pyproject.toml").read_text(), re.DOTALL).group(1)
    rows = [re.findall(r"\w+", row) for row in re.findall(r'"(.+?)"', contract)]
    there = {path.stem for path in (PROJECT / "fraudstream").iterdir()} - {"__init__", "__pycache__"}
    architecture = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown: list[list[str]] = []
    for number, module in re.findall(r"^\| (\d*) *\| `(\w+)` \|", architecture, re.MULTILINE):
        shown += [[]] if number else []
        shown[-1].append(module)
    assert [sorted(row) for row in shown] == [sorted(row) for row in reversed(rows)]
    assert {room for row in rows for room in row} == there


def test_spark_has_one_version_in_requirements_jars_and_lock():
    pinned = re.search(r"^pyspark==(\S+)", (PROJECT / "requirements.txt").read_text(), re.MULTILINE).group(1)
    roots = [root.coordinates for root in ROOTS["spark"] if root.coordinates.startswith(SPARK_JARS)]
    lock = [jar.coordinates for jar in locked("spark") if jar.coordinates.startswith(SPARK_JARS)]
    assert {each.split(":")[2] for each in roots + lock} == {pinned}
    assert sorted(roots) == sorted(lock)
