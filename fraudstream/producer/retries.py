"""Bounded, visible retries: how long Task 1 waits for Kafka."""

import time
from collections.abc import Callable

from fraudstream.errors import BrokerError, Note

NOTE_EVERY_S = 10


class RetryBudget:
    """Retries that are announced, and that end with a BrokerError after ``limit_s`` seconds."""

    def __init__(
        self, what: str, limit_s: float, note: Note, while_waiting: Callable[[], object] = lambda: None
    ) -> None:
        """``while_waiting`` is called before every retry."""
        self._what, self._limit_s, self._note, self._while_waiting = what, limit_s, note, while_waiting
        self._since = time.monotonic()
        self._noted: float | None = None

    def spend(self, reason: object) -> None:
        """Note (every ten seconds) that we wait, and why. Raises BrokerError after ``limit_s`` seconds."""
        waited = time.monotonic() - self._since
        if waited > self._limit_s:
            raise BrokerError(
                f"{self._what}: no answer for {waited:.0f} s ({reason}). Start the broker "
                "(python -m fraudstream broker start) or check KAFKA_BOOTSTRAP_SERVERS, then run this notebook again: "
                "it continues where it stopped."
            )
        if self._noted is None or waited - self._noted >= NOTE_EVERY_S:
            self._noted = waited
            self._note(f"Waiting for Kafka for {waited:.0f} s: {self._what} ({reason}).")
        self._while_waiting()
