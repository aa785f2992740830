"""The first cells: the settings table, and the data that a notebook creates if they are missing."""

import shutil

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from shop import change

from fraudstream.errors import DataError
from fraudstream.notebook import prepare as notebook
from fraudstream.notebook.prepare import STREAM_FILES, ensure_data, prepare
from fraudstream.notebook.show import settings_table
from fraudstream.run.headless import environment
from fraudstream.schemas import FILES
from fraudstream.settings import CHECKED, PROJECT, load_settings


def test_settings_table_names_every_setting_its_value_and_its_meaning(settings):
    table = settings_table(settings)
    names = [name for name, _, _ in table.rows] + table.notes[0].removeprefix("Not set: ").rstrip(".").split(", ")
    assert sorted(names) == sorted(settings.environment_names().values())
    assert ("FRAUDSTREAM_INTERVAL_S", "1.0", "seconds between two batches") in table.rows
    assert "FRAUDSTREAM_BATCHES" in table.notes[0]
    assert all(value and meaning for _, value, meaning in table.rows)


def test_settings_table_of_a_notebook_has_only_what_it_uses(settings):
    assert [name for name, _, _ in settings_table(settings, "data_dir", "batches").rows] == ["FRAUDSTREAM_DATA_DIR"]


def test_settings_table_escapes_what_html_would_read():
    table = settings_table(load_settings(aliases="<b>theirs</b>=age"))
    assert "&lt;b&gt;theirs&lt;/b&gt;=age" in table._repr_html_()


def test_a_project_without_data_makes_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(notebook, "PROJECT", tmp_path)
    ensure_data(load_settings(data_dir=tmp_path / "data"))
    assert {path.name for path in (tmp_path / "data").glob("*.csv")} == set(FILES)
    assert capsys.readouterr().out.startswith(f"No data yet: generating them in {tmp_path / 'data'} ...")


@pytest.mark.parametrize("there", STREAM_FILES)
def test_somebody_s_own_data_are_never_filled_up(tmp_path, monkeypatch, there):
    monkeypatch.setattr(notebook, "PROJECT", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / there).touch()
    (missing,) = set(STREAM_FILES) - {there}
    with pytest.raises(DataError, match=f"^{missing}: not found in "):
        ensure_data(load_settings(data_dir=tmp_path / "data"))
    assert [path.name for path in (tmp_path / "data").iterdir()] == [there]


def test_another_data_folder_is_never_filled(tmp_path):
    with pytest.raises(DataError, match=r"^new_browsing_behaviour.csv, new_transaction.csv: not found in "):
        ensure_data(load_settings(data_dir=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def damaged(shop_dir, tmp_path, monkeypatch):
    """Settings of a shop in which no customer of the browsing events is a number."""
    monkeypatch.delenv(CHECKED, raising=False)
    folder = shutil.copytree(shop_dir, tmp_path / "data")
    change(folder / "new_browsing_behaviour.csv", "customer_id", lambda number: f"C-{number}")
    return load_settings(data_dir=folder, output_dir=tmp_path / "output")


def test_a_notebook_opened_by_itself_refuses_files_that_check_refuses(damaged):
    with pytest.raises(DataError, match=r"^new_browsing_behaviour.csv, row 1: customer_id 'C-\d+' is not a whole"):
        prepare(damaged)


def test_a_notebook_goes_on_with_tolerated_files_and_says_what_is_wrong_with_them(damaged, capsys):
    prepare(damaged.model_copy(update={"tolerate": True}))
    assert "new_browsing_behaviour.csv, row 1: customer_id 'C-" in capsys.readouterr().out


def test_the_notebooks_of_a_run_do_not_check_again_what_the_run_has_checked(damaged, monkeypatch):
    monkeypatch.setenv(CHECKED, environment(damaged)[CHECKED])
    prepare(damaged)


def test_logs_go_to_a_file_and_never_into_the_notebook(settings):
    cells = [
        "from fraudstream.notebook.prepare import prepare\nfrom fraudstream.settings import load_settings",
        "for _ in range(2):\n    prepare(load_settings(), data=False)",
        "import logging\nlogging.exception('KeyboardInterrupt while sending command.')",  # as py4j does
        "logging.getLogger('kafka').warning('a warning')",
    ]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, resources={"metadata": {"path": str(PROJECT)}}).execute(env=environment(settings))
    assert [output for cell in notebook.cells for output in cell.outputs] == []
    lines = (settings.logs / "notebooks.log").read_text().splitlines()
    assert [line for line in lines if line.endswith(("sending command.", "WARNING kafka: a warning"))] == [
        lines[0],
        lines[-1],
    ]
