"""The check before a run: do the files and the model fit the stream? It writes nothing."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table

from fraudstream.data.check import report_files
from fraudstream.data.check.report import WIDE
from fraudstream.errors import FraudstreamError
from fraudstream.model import ModelMatch, SavedModel
from fraudstream.model.match import HEADINGS
from fraudstream.schemas import STREAM_COLUMNS
from fraudstream.settings import PROJECT, Settings

PIPED_WIDTH = 160
OWN_MODEL = PROJECT / "models" / "my_ML_model.zip"


def check(settings: Settings, console: Console | None = None, *, tolerate: bool = False) -> bool:
    """Prints what is in the data folder and what the model takes; True when all of it fits.

    A file that only the training reads may be missing if there is a model already. With ``tolerate``, files in which
    more than one in a hundred values cannot be used fit, too.
    Raises DataError if there is no such folder.
    """
    console = console or Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    unfit = report_files(settings.data_dir, settings.model.exists(), console, tolerate)
    unfit += [] if _model_fits(settings, console) else ["the model"]
    verdict = f"Does not fit: {', '.join(unfit)}." if unfit else "All of it fits."
    console.print(verdict, markup=False, highlight=False, soft_wrap=True)
    return not unfit


def _model_fits(settings: Settings, console: Console) -> bool:
    """Prints the model's table, or why it is refused."""
    if settings.model == OWN_MODEL and not settings.model.exists():
        console.print("No model yet: a run trains one.")
        return True
    try:
        matched = SavedModel.open(settings.model).match(STREAM_COLUMNS, settings.column_aliases)
    except FraudstreamError as error:
        console.print(f"The model is refused: {error}", markup=False, highlight=False, soft_wrap=True)
        return False
    console.print(*_model_table(matched, console.width >= WIDE), sep="\n")
    return True


def _model_table(matched: ModelMatch, wide: bool) -> list[Table | str]:
    """The columns' table and the notes. A narrow terminal gets no types, and our column only where its name differs."""
    table = Table(title=str(matched.signature.path), title_justify="left", box=box.HEAVY_HEAD if wide else box.SIMPLE)
    shown = [place for place, heading in enumerate(HEADINGS) if wide or heading != "type"]
    for place in shown:
        table.add_column(HEADINGS[place], overflow="fold", no_wrap=place == 0)
    for theirs, ours, *others in matched.rows():
        cells = [theirs, ours if wide or ours != theirs else "", *others]
        table.add_row(*(_plain(cells[place]) for place in shown))
    return [table, *map(_plain, matched.notes())]


def _plain(text: str) -> str:
    """Text that may hold square brackets, which rich would take for markup."""
    return text.replace("[", r"\[")
