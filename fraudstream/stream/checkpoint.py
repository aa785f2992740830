"""How far a query has come, read from its checkpoint while no Spark runs."""

import json

from fraudstream.storage import AnyPath


def newest_commit(checkpoint: AnyPath) -> int | None:
    """The newest micro-batch that is done; None without one."""
    return max(
        (int(path.name) for path in (checkpoint / "commits").glob("[0-9]*") if path.name.isdigit()), default=None
    )


def read_up_to(checkpoint: AnyPath, topic: str) -> dict[int, int] | None:
    """Partition of ``topic`` -> the first offset that no finished micro-batch has read; None without a micro-batch."""
    commit = newest_commit(checkpoint)
    if commit is None:
        return None
    _, _, *sources = (checkpoint / "offsets" / str(commit)).read_text().splitlines()  # version, watermark, a line each
    ends = {name: offsets for source in sources if source != "-" for name, offsets in json.loads(source).items()}
    return {int(partition): end for partition, end in ends.get(topic, {}).items()}
