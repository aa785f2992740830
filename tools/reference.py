"""Generates the parts of the documents that come from the code: settings, commands, make targets, faults,
test modules.

Each part is between ``<!-- NAME: written by tools.reference -->`` and ``<!-- end of NAME -->``. A test compares.

    .venv/bin/python -m tools.reference
"""

import ast
import re
import runpy
from collections.abc import Callable
from pathlib import Path

import typer
from typer.testing import CliRunner

from fraudstream.cli import app
from fraudstream.settings import PROJECT, Settings

PROGRAM = "python -m fraudstream"
DOCS = PROJECT / "docs"


def settings() -> str:
    """A table: environment variable, default, meaning."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, variable in Settings.environment_names().items():
        field = Settings.model_fields[name]
        value = field.default
        if isinstance(value, Path):
            value = value.relative_to(PROJECT).as_posix()
        elif isinstance(value, float):
            value = f"{value:g}"
        shown = "" if value is None or not str(value) else f"`{value}`"
        rows.append(f"| `{variable}` | {shown} | {field.description} |")
    return "\n".join(rows)


def commands() -> str:
    """The --help of each command."""
    return "\n\n".join(f"```text\n$ {PROGRAM} {name} --help\n{help_of(name)}\n```" for name in names())


def names() -> list[str]:
    """The commands in the order of --help."""
    return list(typer.main.get_command(app).commands)


def help_of(command: str) -> str:
    """The command's --help, 80 columns wide."""
    result = CliRunner().invoke(
        app, [command, "--help"], prog_name=PROGRAM, env={"COLUMNS": "80"}, catch_exceptions=False
    )
    return result.stdout.strip()


def targets() -> str:
    """A table of the Makefile's targets, from their ## comments."""
    found = re.findall(r"^([a-z-]+):.*?## (.+)$", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return "\n".join(["| target | does |", "|---|---|", *(f"| `make {name}` | {does} |" for name, does in found)])


def tests() -> str:
    """A table of all test modules: file, and the first paragraph of its docstring."""
    rows = ["| file | shows |", "|---|---|"]
    for path in sorted((PROJECT / "tests").rglob("test_*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        shows = " ".join(docstring.partition("\n\n")[0].split())
        rows.append(f"| `{path.relative_to(PROJECT).as_posix()}` | {shows} |")
    return "\n".join(rows)


def faults() -> str:
    """A table of tests/fault_rows.py: what happens, and the files whose tests show what follows."""
    rows = ["| | what happens | tests |", "|---|---|---|"]
    for number, row in enumerate(runpy.run_path(str(PROJECT / "tests" / "fault_rows.py"))["ROWS"], start=1):
        files = dict.fromkeys(test.partition("::")[0] for test in row.tests)
        rows.append(f"| {number} | {row.what} | {', '.join(f'`tests/{file}`' for file in files)} |")
    return "\n".join(rows)


PARTS: dict[Path, dict[str, Callable[[], str]]] = {
    DOCS / "configuration.md": {"settings": settings},
    DOCS / "commands.md": {"targets": targets, "commands": commands},
    DOCS / "testing.md": {"faults": faults, "tests": tests},
}


def filled(document: Path) -> str:
    """The document's text with its written parts as the code has them now.

    Raises ValueError for a part that does not have exactly one place in the document.
    """
    text = document.read_text(encoding="utf-8")
    for name, part in PARTS[document].items():
        begin, end = f"<!-- {name}: written by tools.reference -->\n", f"<!-- end of {name} -->"
        place = re.compile(f"(?<={re.escape(begin)}).*?(?={re.escape(end)})", re.DOTALL)
        text, places = place.subn(lambda match, part=part: f"{part()}\n", text)
        if places != 1:
            raise ValueError(f"{document.name}: {places} places for {name}; expected one, from {begin!r} to {end!r}.")
    return text


if __name__ == "__main__":
    for each in PARTS:
        each.write_text(filled(each), encoding="utf-8")
