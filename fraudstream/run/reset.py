"""Starting afresh: what an earlier replay left moves aside, and the topics are emptied. Nothing is deleted."""

from datetime import datetime

from fraudstream.errors import BrokerError, Note
from fraudstream.kafka.client import bootstrap, client_options, end_offsets, ensure_topics, recreate_topics
from fraudstream.schemas import TOPICS
from fraudstream.settings import Settings
from fraudstream.storage import AnyPath


def replay_outputs(settings: Settings) -> list[AnyPath]:
    """What belongs to one replay: results and checkpoints, which make sense only together."""
    names = ("successful_transactions.png", "summary.json")
    folders = (settings.predictions, settings.checkpoints, settings.quarantine, settings.notebooks)
    return [*folders, settings.reports, *(settings.output_dir / name for name in names)]


def reset(settings: Settings, *, empty_topics: bool = False, wait_s: float = 60, note: Note = print) -> str:
    """Moves the results of earlier replays to ``earlier/<time>`` beside them and empties both topics.

    Returns Kafka's address.

    A Kafka that is not the embedded one may take ``wait_s`` seconds to answer, or BrokerError.

    The embedded broker's topics are this project's own. Topics of another Kafka that hold messages are emptied only
    when ``empty_topics`` says so; otherwise BrokerError, and nothing has changed.
    """
    address = bootstrap(settings, note, wait_s)
    client = client_options(settings)
    ensure_topics(client)
    messages = sum(sum(end_offsets(client, topic).values()) for topic in TOPICS)
    if messages and not (settings.embedded_broker or empty_topics):
        raise BrokerError(
            f"The topics {', '.join(TOPICS)} at {address} hold {messages:,} messages of an earlier replay. "
            "To delete these messages and start afresh, say --empty-topics."
        )
    left = [path for path in replay_outputs(settings) if path.exists()]
    time = f"{datetime.now():%Y-%m-%dT%H%M%S}"
    for path in left:
        earlier = path.parent / "earlier" / time
        earlier.mkdir(parents=True, exist_ok=True)
        path.rename(earlier / path.name)
    for folder in dict.fromkeys(path.parent for path in left):
        note(f"What the last replay left is in {folder / 'earlier' / time} now.")
    if messages:
        recreate_topics(client)
    return address
