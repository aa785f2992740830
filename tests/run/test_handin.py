"""handin.zip: the executed notebooks, without traces of the machine."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from fraudstream.run.handin import STATE, WIDGET, tidied, without_machine
from fraudstream.settings import PROJECT
from tools.docs import for_pages, live_tables

EXECUTED = sorted((PROJECT / "docs" / "executed").glob("*.ipynb"))


def notebook(*outputs, state=None):
    cell = new_code_cell("1", outputs=list(outputs), metadata={"execution": {"iopub.status.busy": "now"}})
    return new_notebook(cells=[cell], metadata={"widgets": {STATE: {"state": state or {}}}})


def test_paths_begin_at_the_project_or_at_home():
    text = f"{PROJECT}/output/logs, file://{PROJECT}/models/x, in {PROJECT}. {PROJECT}-2 {Path.home()}/.cache"
    assert without_machine(text) == f"output/logs, models/x, in .. {PROJECT}-2 ~/.cache"


def test_a_figure_that_moved_becomes_its_last_picture_and_a_progress_bar_goes():
    figure = new_output("display_data", {WIDGET: {"model_id": "f"}, "image/png": "blank", "text/plain": "Canvas()"})
    progress = new_output("display_data", {WIDGET: {"model_id": "p"}, "text/plain": "0%"})
    state = {"f": {"state": {"_data_url": "data:image/png;base64,bGFzdA=="}}, "p": {"state": {}}}
    tidy = tidied(notebook(figure, progress, state=state))
    assert [output.data for output in tidy.cells[0].outputs] == [{"image/png": "bGFzdA==", "text/plain": "<Figure>"}]
    assert (tidy.metadata, tidy.cells[0].metadata) == ({}, {})


def test_a_live_table_keeps_its_html_and_text():
    table = new_output("display_data", {WIDGET: {"model_id": "t"}, "text/html": "<p>7</p>", "text/plain": "7"})
    assert tidied(notebook(table)).cells[0].outputs[0].data == {"text/html": "<p>7</p>", "text/plain": "7"}


def test_a_chart_within_html_is_shown_as_a_picture_before_it():
    html = '<div class="fraudstream"><span class="title">Stream health</span><svg><path/></svg></div>'
    shown = for_pages(notebook(new_output("display_data", {"text/html": html})))
    assert [output.data for output in shown.cells[0].outputs] == [
        {"image/svg+xml": "<svg><path/></svg>"},
        {"text/html": html.replace("<svg><path/></svg>", "")},
    ]
    assert list(live_tables(shown)) == ["Stream health"]


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.stem)
def test_executed_notebooks_are_small_valid_and_name_no_folder_of_a_machine(path):
    text = path.read_text(encoding="utf-8")
    executed = nbformat.reads(text, as_version=4)
    nbformat.validate(executed)
    assert len(text) < 1_000_000
    assert str(PROJECT) not in text
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")
