"""Starting afresh: what an earlier replay left moves aside, and the topics are emptied. Nothing is deleted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from fraudstream.broker import bootstrap, client_security, end_offsets, ensure_topics, recreate_topics
from fraudstream.errors import BrokerError, OutputError
from fraudstream.schemas import TOPICS
from fraudstream.settings import Settings


def belongings(settings: Settings) -> list[Path]:
    """What belongs to one replay: results and checkpoints, which make sense only together."""
    names = ("successful_transactions.png", "summary.json")
    folders = (settings.predictions, settings.checkpoints, settings.quarantine, settings.notebooks)
    return [*folders, settings.reports, *(settings.output_dir / name for name in names)]


def start_afresh(
    settings: Settings, *, empty_topics: bool = False, wait_s: float = 60, note: Callable[[str], None] = print
) -> str:
    """Moves the results of earlier replays to ``earlier/<time>`` and empties both topics; returns Kafka's address.

    A Kafka that is not the embedded one may take ``wait_s`` seconds to answer, or BrokerError.

    The embedded broker's topics are this project's own. Topics of another Kafka that hold messages are emptied only
    when ``empty_topics`` says so; otherwise BrokerError, and nothing has changed.
    """
    address = bootstrap(settings, note, wait_s)
    security = client_security(settings)
    ensure_topics(address, **security)
    messages = sum(sum(end_offsets(address, topic, **security).values()) for topic in TOPICS)
    if messages and not (settings.embedded_broker or empty_topics):
        raise BrokerError(
            f"The topics {', '.join(TOPICS)} at {address} hold {messages:,} messages of an earlier replay. "
            "To delete these messages and start afresh, say --empty-topics."
        )
    left = [path for path in belongings(settings) if path.exists()]
    if left:
        earlier = settings.output_dir / "earlier" / f"{datetime.now():%Y-%m-%dT%H%M%S}"
        earlier.mkdir(parents=True)
        for path in left:
            path.rename(earlier / path.name)
        note(f"What the last replay left is in {earlier} now.")
    if messages:
        recreate_topics(address, **security)
    return address


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Holds the output folder for one run or reset; raises OutputError when another has it."""
    settings.output_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.output_dir / "run.lock", timeout=0):
            yield
    except Timeout as error:
        raise OutputError(
            f"Another run uses {settings.output_dir}. Wait until it ends, or set FRAUDSTREAM_OUTPUT_DIR elsewhere."
        ) from error
