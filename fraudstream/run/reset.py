"""Starts over: moves the results of earlier replays aside and empties the topics. No result is deleted."""

from datetime import datetime

from fraudstream.errors import BrokerError, Note
from fraudstream.kafka.client import bootstrap, client_options, end_offsets, ensure_topics, recreate_topics
from fraudstream.schemas import TOPICS
from fraudstream.settings import MELBOURNE, Settings
from fraudstream.storage.folders import writing_to
from fraudstream.storage.hadoop import AnyPath
from fraudstream.stream.alerts import position_file
from fraudstream.stream.sink import query_file


def replay_outputs(settings: Settings) -> list[AnyPath]:
    """Paths of everything that belongs to one replay: results and checkpoints, which are only valid together."""
    names = ("successful_transactions.png", "summary.json")
    folders = (settings.predictions, settings.checkpoints, settings.quarantine, settings.notebooks)
    reports = [settings.reports.with_name(f"{settings.reports.name}{end}") for end in ("", "-wal", "-shm")]
    files = (query_file(settings.predictions), position_file(settings))
    return [*folders, *files, *reports, *(settings.output_dir / name for name in names)]


def reset(settings: Settings, *, empty_topics: bool = False, wait_s: float = 60, note: Note = print) -> str:
    """Moves the results of earlier replays to ``earlier/<time>`` in the same folder, empties both topics, and returns
    Kafka's address.

    Raises BrokerError if an external Kafka does not answer within ``wait_s`` seconds, or if its topics hold messages
    and ``empty_topics`` is not set (the embedded broker's topics are this project's own); OutputError if a folder
    cannot be written. Nothing has changed then.
    """
    address = bootstrap(settings, note, wait_s)
    client = client_options(settings)
    ensure_topics(client)
    messages = sum(sum(end_offsets(client, topic).values()) for topic in TOPICS)
    if messages and not (settings.embedded_broker or empty_topics):
        raise BrokerError(
            f"The topics {', '.join(TOPICS)} at {address} hold {messages:,} messages of an earlier replay. "
            "To delete these messages and start over, add the option --empty-topics."
        )
    left = [path for path in replay_outputs(settings) if path.exists()]
    time = f"{datetime.now(MELBOURNE):%Y-%m-%dT%H%M%S}"
    for path in left:
        earlier = path.parent / "earlier" / time
        with writing_to(settings.output_dir):
            earlier.mkdir(parents=True, exist_ok=True)
            path.rename(earlier / path.name)
    for folder in dict.fromkeys(path.parent for path in left):
        note(f"The results of the last replay have moved to {folder / 'earlier' / time}.")
    if messages:
        recreate_topics(client)
    return address
