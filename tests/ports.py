"""On which addresses processes accept connections."""

from collections.abc import Iterable

import psutil

HERE = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def listening(processes: Iterable[psutil.Process]) -> set[tuple[str, int]]:
    """The addresses, (ip, port), on which these processes accept connections."""
    connections = [each for process in processes for each in process.net_connections("inet")]
    return {tuple(each.laddr) for each in connections if each.status == psutil.CONN_LISTEN}
