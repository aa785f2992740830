"""Runs the Task 2 notebook's own cells as a program, up to a heading: what is measured is what is graded."""

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import nbformat
from IPython.core.interactiveshell import InteractiveShell

from fraudstream.settings import PROJECT

NOTEBOOK = PROJECT / "A2B-Task2_spark_streaming.ipynb"


class Task2:
    """The notebook in this process. ``names``: what its cells have defined so far."""

    def __init__(self) -> None:
        self._shell = InteractiveShell.instance()
        self._cells = iter(nbformat.read(NOTEBOOK, as_version=4).cells)
        self.names: dict[str, Any] = self._shell.user_ns

    def run(self, until: str) -> None:
        """Runs the next code cells, up to the markdown cell that holds ``until``. What they print is not shown."""
        for source in self._sources(until):
            with contextlib.redirect_stdout(io.StringIO()):
                result = self._shell.run_cell(source)
            result.raise_error()

    def _sources(self, until: str) -> Iterator[str]:
        for cell in self._cells:
            if cell.cell_type == "markdown" and until in cell.source:
                return
            if cell.cell_type == "code":
                yield cell.source
        raise ValueError(f"{NOTEBOOK.name}: no markdown cell holds {until!r}")


def run_cells(until: str) -> dict[str, Any]:
    """Runs the notebook's code cells before the first markdown cell that holds ``until``; returns their names."""
    task2 = Task2()
    task2.run(until)
    return task2.names
