"""A small table for display: text in a terminal, HTML in a notebook."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, repr=False)
class Table:
    """``headings`` and ``rows`` of texts, ``notes`` below them; in HTML folded under ``summary``, if there is one."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    summary: str = ""

    def __repr__(self) -> str:
        lines = [self.headings, *self.rows] if any(self.headings) else list(self.rows)
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.headings))]
        texts = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
        return "\n".join([*(text.rstrip() for text in texts), *self.notes])

    def _repr_html_(self) -> str:
        head = f"<thead>{_line(self.headings, 'th')}</thead>" if any(self.headings) else ""
        body = "".join(_line(row, "td") for row in self.rows)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        table = f"<table>{head}<tbody>{body}</tbody></table>"
        if self.summary:
            table = f"<details><summary>{escape(self.summary)}</summary>{table}</details>"
        return table + notes


def _line(texts: Iterable[str], tag: str) -> str:
    cells = (f'<{tag} style="text-align:left">{escape(text)}</{tag}>' for text in texts)
    return f"<tr>{''.join(cells)}</tr>"
