"""A query's committed offsets, read without Spark, and the guards of a checkpoint.

A checkpoint of other topics, or one whose predictions are gone, is refused.
"""

import json
from collections.abc import Iterable
from datetime import datetime

from fraudstream.errors import Note, OutputError
from fraudstream.kafka.client import end_offsets, identity
from fraudstream.kafka.topic_guard import TopicGuard
from fraudstream.schemas import PREDICTIONS, QUARANTINE, REPORTS
from fraudstream.storage.hadoop import AnyPath

KAFKA_FILE = "kafka.json"


def last_committed_batch(checkpoint: AnyPath) -> int | None:
    """The id of the newest committed micro-batch; None without one."""
    return max(
        (int(path.name) for path in (checkpoint / "commits").glob("[0-9]*") if path.name.isdigit()), default=None
    )


def query_id(checkpoint: AnyPath) -> str | None:
    """The id of the query of ``checkpoint``, which a new checkpoint never has again; None before its first start."""
    metadata = checkpoint / "metadata"
    return json.loads(metadata.read_text())["id"] if metadata.exists() else None


def committed_offsets(checkpoint: AnyPath) -> dict[str, dict[int, int]] | None:
    """Topic -> partition -> first offset that no committed micro-batch has read; None without a committed one."""
    commit = last_committed_batch(checkpoint)
    if commit is None:
        return None
    return _planned(checkpoint / "offsets" / str(commit))


def parse_offsets(sources: Iterable[str]) -> dict[str, dict[int, int]]:
    """Topic -> partition -> offset, from Spark's JSON of each source's offsets; other sources are skipped."""
    return {
        topic: {int(partition): offset for partition, offset in partitions.items()}
        for source in sources
        for topic, partitions in json.loads(source).items()
        if isinstance(partitions, dict)
    }


def say_where_it_starts(checkpoint: AnyPath, note: Note = print) -> None:
    """Prints whether a query continues from its checkpoint or starts with the first message."""
    commit = last_committed_batch(checkpoint)
    if commit is None:
        note("Starts with the first message of both topics.")
    else:
        note(f"Continues after micro-batch {commit} of {checkpoint}. To replay from the beginning, reset first.")


def require_same_topics(checkpoints: AnyPath, client: dict, note: Note = print) -> TopicGuard:
    """Checks that ``checkpoints`` refer to these topics; records the topics' ids at the first call.

    ``client``: the result of ``client_options``. Returns the guard that repeats the check while the stream runs.
    Raises OutputError if the checkpoints belong to another Kafka, or to topics that have been deleted since: their
    offsets now refer to other messages; BrokerError if Kafka is down.
    """
    file, found = checkpoints / KAFKA_FILE, identity(client)
    if not file.exists():
        checkpoints.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found) + "\n")
    known = json.loads(file.read_text())
    if known != found:
        another = known["cluster"] != found["cluster"]
        what = "another Kafka" if another else "topics that have been deleted and created again since"
        raise OutputError(
            f"{checkpoints} belong to {what}: Spark would skip messages or read them twice. Start over with: "
            "python -m fraudstream reset (it moves the checkpoints and results to earlier/)."
        )
    for name in (PREDICTIONS, QUARANTINE):
        _set_impossible_plan_aside(checkpoints / name, client, note)
    return TopicGuard(client, known)


def _set_impossible_plan_aside(checkpoint: AnyPath, client: dict, note: Note) -> None:
    """Moves a plan for messages that our topics do not have: it was made while another Kafka had our Kafka's address.

    Spark writes the offsets of a micro-batch before it reads. Nothing of such a micro-batch is committed or stored, but
    every restart would run it again and fail.
    """
    plans = [int(path.name) for path in (checkpoint / "offsets").glob("[0-9]*") if path.name.isdigit()]
    committed, last = committed_offsets(checkpoint) or {}, last_committed_batch(checkpoint)
    if not plans or max(plans) <= (-1 if last is None else last):
        return
    plan = checkpoint / "offsets" / str(max(plans))
    for topic, offsets in _planned(plan).items():
        ends = end_offsets(client, topic)
        if any(not committed.get(topic, {}).get(p, 0) <= end <= ends.get(p, 0) for p, end in offsets.items()):
            aside = checkpoint / "offsets-of-another-kafka"
            aside.mkdir(exist_ok=True)
            plan.rename(aside / f"{plan.name}-{datetime.now():%Y%m%dT%H%M%S}")
            note(f"{checkpoint.name}: micro-batch {plan.name} was planned from another Kafka. It is planned again.")
            return


def _planned(plan: AnyPath) -> dict[str, dict[int, int]]:
    """Topic -> partition -> offset of a file of ``offsets``: version, watermark, one line per source."""
    _, _, *sources = plan.read_text().splitlines()
    return parse_offsets(source for source in sources if source != "-")


def require_predictions(checkpoints: AnyPath) -> None:
    """Raises OutputError if a report's query has read predictions whose own checkpoint is gone."""
    predicted = last_committed_batch(checkpoints / PREDICTIONS) is not None
    for name in REPORTS:
        if last_committed_batch(checkpoints / name) is not None and not predicted:
            raise _gone(checkpoints / name, checkpoints / PREDICTIONS)


def _gone(checkpoint: AnyPath, gone: AnyPath) -> OutputError:
    return OutputError(
        f"{checkpoint} has read predictions, but {gone} is gone. Start over with: python -m fraudstream reset (it "
        "moves all of them to earlier/)."
    )
