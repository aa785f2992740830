"""README.md says what the code has: `make docs` writes its settings and commands anew, a test compares.

Each such part stands between ``<!-- NAME: written by make docs -->`` and ``<!-- end of NAME -->``.
"""

import re
from pathlib import Path

import typer
from typer.testing import CliRunner

from fraudstream.cli import app
from fraudstream.settings import PROJECT, Settings

README = PROJECT / "README.md"
PROGRAM = "python -m fraudstream"


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
    """What each command says to --help."""
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


def filled(text: str) -> str:
    """``text`` with its written parts as the code has them now. Raises ValueError where a part has no place in it."""
    for name, part in {"settings": settings(), "commands": commands()}.items():
        begin, end = f"<!-- {name}: written by make docs -->\n", f"<!-- end of {name} -->"
        place = re.compile(f"(?<={re.escape(begin)}).*?(?={re.escape(end)})", re.DOTALL)
        text, places = place.subn(lambda match, part=part: f"{part}\n", text)
        if places != 1:
            raise ValueError(f"{README.name}: {places} places for {name}; it needs one, between {begin!r} and {end!r}.")
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
