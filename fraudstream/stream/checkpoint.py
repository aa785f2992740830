"""Reads a query's progress from its checkpoint, without Spark."""

import json
from pathlib import Path

from fraudstream.errors import Note, OutputError
from fraudstream.kafka.client import identity
from fraudstream.schemas import PREDICTIONS, REPORTS
from fraudstream.storage.hadoop import AnyPath

KAFKA_FILE = "kafka.json"


def newest_commit(checkpoint: AnyPath) -> int | None:
    """The newest committed micro-batch; None without one."""
    return max(
        (int(path.name) for path in (checkpoint / "commits").glob("[0-9]*") if path.name.isdigit()), default=None
    )


def query_id(checkpoint: AnyPath) -> str | None:
    """The id of the query of ``checkpoint``, which a new checkpoint never has again; None before its first start."""
    metadata = checkpoint / "metadata"
    return json.loads(metadata.read_text())["id"] if metadata.exists() else None


def read_up_to(checkpoint: AnyPath, topic: str) -> dict[int, int] | None:
    """Partition of ``topic`` -> first offset that no committed micro-batch has read; None without a micro-batch."""
    commit = newest_commit(checkpoint)
    if commit is None:
        return None
    # version, watermark, one line per source
    _, _, *sources = (checkpoint / "offsets" / str(commit)).read_text().splitlines()
    ends = {name: offsets for source in sources if source != "-" for name, offsets in json.loads(source).items()}
    return {int(partition): end for partition, end in ends.get(topic, {}).items()}


def say_where_it_starts(checkpoint: AnyPath, note: Note = print) -> None:
    """Prints whether a query continues from its checkpoint or starts with the first message."""
    commit = newest_commit(checkpoint)
    if commit is None:
        note("Starts with the first message of both topics.")
    else:
        note(f"Continues after micro-batch {commit} of {checkpoint}. To replay from the beginning, reset first.")


def require_same_topics(checkpoints: AnyPath, client: dict) -> None:
    """Checks that ``checkpoints`` refer to these topics; records the topics' ids at the first call.

    ``client``: the result of ``client_options``. Raises OutputError if the checkpoints belong to another Kafka, or to
    topics that have been deleted since: their offsets now refer to other messages; BrokerError if Kafka is down.
    """
    file, found = checkpoints / KAFKA_FILE, identity(client)
    if not file.exists():
        checkpoints.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found) + "\n")
        return
    known = json.loads(file.read_text())
    if known != found:
        another = known["cluster"] != found["cluster"]
        what = "another Kafka" if another else "topics that have been deleted and created again since"
        raise OutputError(
            f"{checkpoints} belong to {what}: Spark would skip messages or read them twice. Start over with: "
            "python -m fraudstream reset (it moves the checkpoints and results to earlier/)."
        )


def require_reports(checkpoints: AnyPath, reports: Path) -> None:
    """Checks that the reports' queries, whose checkpoints are in ``checkpoints``, find what they left.

    Raises OutputError if one has read predictions that are gone, or if its report is gone: it would not read them
    again, and the report would lack them. (``Reports`` with ``predictions`` rebuilds it: ``require_predictions``
    is enough then.)
    """
    require_predictions(checkpoints)
    for name in REPORTS:
        if newest_commit(checkpoints / name) is not None and not reports.exists():
            raise _gone(checkpoints / name, reports)


def require_predictions(checkpoints: AnyPath) -> None:
    """Raises OutputError if a report's query has read predictions whose own checkpoint is gone."""
    predicted = newest_commit(checkpoints / PREDICTIONS) is not None
    for name in REPORTS:
        if newest_commit(checkpoints / name) is not None and not predicted:
            raise _gone(checkpoints / name, checkpoints / PREDICTIONS)


def _gone(checkpoint: AnyPath, gone: AnyPath) -> OutputError:
    return OutputError(
        f"{checkpoint} has read predictions, but {gone} is gone. Start over with: python -m fraudstream reset (it "
        "moves all of them to earlier/)."
    )
