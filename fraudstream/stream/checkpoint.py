"""Reads a query's progress from its checkpoint, without Spark."""

import json
from pathlib import Path

from fraudstream.errors import OutputError
from fraudstream.schemas import PREDICTIONS, REPORTS
from fraudstream.storage import AnyPath


def newest_commit(checkpoint: AnyPath) -> int | None:
    """The newest committed micro-batch; None without one."""
    return max(
        (int(path.name) for path in (checkpoint / "commits").glob("[0-9]*") if path.name.isdigit()), default=None
    )


def read_up_to(checkpoint: AnyPath, topic: str) -> dict[int, int] | None:
    """Partition of ``topic`` -> first offset that no committed micro-batch has read; None without a micro-batch."""
    commit = newest_commit(checkpoint)
    if commit is None:
        return None
    # version, watermark, one line per source
    _, _, *sources = (checkpoint / "offsets" / str(commit)).read_text().splitlines()
    ends = {name: offsets for source in sources if source != "-" for name, offsets in json.loads(source).items()}
    return {int(partition): end for partition, end in ends.get(topic, {}).items()}


def require_reports(checkpoints: AnyPath, reports: Path) -> None:
    """Checks that the reports' queries, with checkpoints in ``checkpoints``, still find predictions and reports.

    Raises OutputError if one has read predictions that are gone, or if the reports are gone: it would not read them
    again, and the report would be incomplete.
    """
    predicted = newest_commit(checkpoints / PREDICTIONS) is not None
    for name in REPORTS:
        if newest_commit(checkpoints / name) is not None and not (reports.exists() and predicted):
            gone = reports if predicted else checkpoints / PREDICTIONS
            raise OutputError(
                f"{checkpoints / name} has read predictions, but {gone} is gone. Start over with: "
                "python -m fraudstream reset (it moves all of them to earlier/)."
            )
