"""The progress of headless notebooks: what their cells print, line by line or as one moving line each."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from nbclient import NotebookClient
from rich.console import Console
from rich.progress import Progress, TaskID

# tables, schemas and messages in a notebook are for its reader, not for the run's output
NO_NEWS = (" ", "struct<", "\t", "|", "+", "[", "]", "{", "-RECORD", "root", "only showing")
LINE = 100


@dataclass
class Watcher:
    """Shows the progress of the notebooks: one moving line each on a terminal, elsewhere what they print."""

    console: Console
    progress: Progress

    def add(self, name: str, cells: int) -> TaskID:
        return self.progress.add_task(name, total=cells, said="waiting for its turn")

    def reached(self, task: TaskID, cell: int) -> None:
        self.progress.update(task, completed=cell)

    def said(self, name: str, task: TaskID, text: str) -> None:
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith(NO_NEWS)]
        for line in lines if not self.console.is_terminal else ():
            self.console.print(shortened(f"{name}: {line}"), highlight=False, markup=False, soft_wrap=True)
        for line in lines[-1:]:
            self.progress.update(task, said=line[:110])


def shortened(line: str) -> str:
    """``line`` in at most LINE characters: runs of blanks as two, and the end cut off. The notebook has all of it."""
    text = re.sub(r" {2,}", "  ", line)
    return text if len(text) <= LINE else f"{text[: LINE - 1]}…"


class WatchedClient(NotebookClient):
    """A notebook client that passes on what the cells print."""

    on_text: Callable[[str], None] = staticmethod(lambda text: None)

    @asynccontextmanager
    async def async_setup_kernel(self, **kwargs: Any) -> AsyncIterator[None]:
        """As in the base class, but signals are left alone: Ctrl-C cancels all notebooks, and each ends its kernel."""
        self.km = self.create_kernel_manager()
        try:
            await self.async_start_new_kernel(**kwargs)
            await self.async_start_new_kernel_client()
            yield
        finally:
            if self.km is not None:
                await self._async_cleanup_kernel()

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "stream" and msg["content"]["name"] == "stdout":
            self.on_text(msg["content"]["text"])
        if msg["msg_type"] == "update_display_data" and "text/html" not in msg["content"]["data"]:
            newest = msg["content"]["data"].get("text/plain", "").splitlines()[-1:]
            self.on_text("".join(newest))
        return super().process_message(msg, cell, cell_index)
