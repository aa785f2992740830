"""The documents agree with the code, the README leads to all of them, and each requirement has its heading."""

import json
import re
from dataclasses import fields

import nbformat
import pytest

from fraudstream.features import FEATURES
from fraudstream.run.reconciliation import Reconciliation
from fraudstream.runtime.jars import ROOTS, locked
from fraudstream.schemas import REPORT_VIEWS, TRANSACTION
from fraudstream.settings import PROJECT
from fraudstream.stream.explanations import EXPLANATION_COLUMNS
from fraudstream.stream.ingest import QUARANTINE_COLUMNS
from tools.docs import DIGESTS, PICTURES, digest
from tools.reference import DOCS, PARTS, filled

REQUIREMENTS = {
    "A2B-Task1_producer.ipynb": "1.1 1.2 1.3 1.4 1.5",
    "A2B-Task2_spark_streaming.ipynb": "2.1 2.2 2.3 2.4 2.4a 2.4b 2.4c 2.5 2.6 2.7 2.7a 2.7b 2.7c",
    "A2B-Task3_consumer.ipynb": "3.1 3.2 3.3",
}
LONGEST_CELL = 25
OUTPUTS = ("rawPrediction", "probability", "prediction", "imputed", "predicted_at", *EXPLANATION_COLUMNS, "batch_id")
PREDICTIONS = ("ts", "event_time", *OUTPUTS)
SPARK_JARS = "org.apache.spark:"

README = PROJECT / "README.md"
README_LINES = 150
DOCUMENTS = [README, PROJECT / "CHANGELOG.md", *(PROJECT / "docs").glob("*.md"), *PROJECT.glob("[a-z]*/README.md")]
SUMMARY_FIELDS = [field.name for field in fields(Reconciliation)]

notebooks = pytest.mark.parametrize("notebook", REQUIREMENTS)
documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(PROJECT).as_posix())


def cells(notebook, kind):
    return [each for each in nbformat.read(PROJECT / notebook, as_version=4).cells if each.cell_type == kind]


def text_of(document):
    return document.read_text(encoding="utf-8")


def links(document):
    """(path, anchor) of every link of ``document`` into the project, inline or by reference."""
    text = re.sub(r"```.*?```", "", text_of(document), flags=re.DOTALL)
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^]]+\]: (\S+)$", text, re.MULTILINE)
    parts = [link.partition("#") for link in found if "://" not in link]
    return [((document.parent / path).resolve() if path else document, anchor) for path, _, anchor in parts]


def anchors(document):
    """The headings of ``document`` as a link names them."""
    headings = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


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


@pytest.mark.parametrize("document", PARTS, ids=lambda path: path.name)
def test_generated_parts_are_those_of_the_code(document):
    assert text_of(document) == filled(document), "run: .venv/bin/python -m tools.reference"


def test_every_test_module_says_what_it_shows():
    assert not re.search(r"\| `tests/[\w/]+\.py` \|  \|", text_of(DOCS / "testing.md"))


@pytest.mark.parametrize("column", [*TRANSACTION, *FEATURES, *PREDICTIONS, *QUARANTINE_COLUMNS, *SUMMARY_FIELDS])
def test_outputs_name_every_column_and_every_field_of_the_summary(column):
    assert f"`{column}`" in text_of(DOCS / "outputs.md")


@pytest.mark.parametrize(("view", "columns"), REPORT_VIEWS.items())
def test_outputs_name_every_report_with_its_columns(view, columns):
    assert f"| `{view}` | {' '.join(f'`{column}`' for column in columns)} |" in text_of(DOCS / "outputs.md")


def test_configuration_names_every_variable_of_env_example():
    variables = re.findall(r"^(\w+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE)
    assert [name for name in variables if f"`{name}`" not in text_of(DOCS / "configuration.md")] == []


def test_readme_has_at_most_150_lines():
    assert len(text_of(README).splitlines()) <= README_LINES


def test_every_document_is_reached_from_the_readme():
    reached, to_read = set(), [README]
    while to_read:
        document = to_read.pop()
        if document not in reached and document.suffix == ".md":
            reached.add(document)
            to_read += [path for path, _ in links(document)]
    assert set(DOCUMENTS) <= reached


@documents
def test_links_and_named_files_are_there(document):
    named = [PROJECT / name for name in re.findall(r"`((?:tests|fraudstream|tools|docs)/[\w./]+)`", text_of(document))]
    assert [str(each) for each in [path for path, _ in links(document)] + named if not each.exists()] == []


@documents
def test_links_into_documents_have_their_heading(document):
    assert [anchor for path, anchor in links(document) if anchor and anchor not in anchors(path)] == []


@documents
def test_tests_that_a_document_names_exist(document):
    defined = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "tests").rglob("test_*.py"))
    assert [test for test in re.findall(r"`(test_\w+)`", text_of(document)) if f"def {test}(" not in defined] == []


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


@pytest.mark.parametrize("picture", PICTURES)
def test_no_picture_is_older_than_the_cells_that_it_shows(picture):
    assert (DOCS / picture).exists()
    assert json.loads(text_of(DIGESTS)).get(picture) == digest(PICTURES[picture]), "run: make docs"


@notebooks
def test_executed_notebooks_are_today_s(notebook):
    committed, run = ([cell.source for cell in cells(name, "code")] for name in (notebook, f"docs/executed/{notebook}"))
    assert committed == run, "run: make docs"
