"""What notebook cells show: the settings, and the source of a function."""

import html
import inspect
from collections.abc import Callable
from typing import Any

from IPython.display import Code, display

from fraudstream.settings import Settings


class SettingsTable:
    """The settings as a table: in Jupyter HTML, elsewhere text. Those that are empty stand by name in a last row."""

    def __init__(self, settings: Settings) -> None:
        names = settings.environment_names()
        fields = type(settings).model_fields
        values = {field: "" if (value := getattr(settings, field)) is None else str(value) for field in names}
        self.rows = [(names[field], value, fields[field].description) for field, value in values.items() if value]
        self.rows.append((", ".join(names[field] for field, value in values.items() if not value), "", "empty"))

    def __repr__(self) -> str:
        widths = [max(len(row[column]) for row in self.rows) for column in (0, 1)]
        return "\n".join(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {meaning}" for name, value, meaning in self.rows)

    def _repr_html_(self) -> str:
        head = "".join(f'<th style="text-align:left">{title}</th>' for title in ("setting", "value", "meaning"))
        body = "".join(
            "<tr>"
            + f'<td style="text-align:left"><code>{html.escape(name)}</code></td>'
            + "".join(f'<td style="text-align:left">{html.escape(text)}</td>' for text in (value, meaning))
            + "</tr>"
            for name, value, meaning in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def show_settings(settings: Settings) -> None:
    """Show name, value and meaning of every setting."""
    display(SettingsTable(settings))


def show_source(*functions: Callable[..., Any] | type) -> None:
    """Show the source of functions or classes, coloured, so that a reader of the notebook sees what is called."""
    display(Code("\n\n".join(inspect.getsource(each).rstrip() for each in functions), language="python"))
