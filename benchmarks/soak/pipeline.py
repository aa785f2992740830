"""The live pipeline of a soak: all parts, the relay between them and Kafka, and how far each has come."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.soak.parts import Broker, Stream, program, wait_for
from benchmarks.soak.relay import HOST, Relay
from benchmarks.soak.replay import Replay
from fraudstream.kafka import probe
from fraudstream.kafka.broker import config
from fraudstream.kafka.client import client_options, ensure_topics
from fraudstream.schemas import PREDICTIONS
from fraudstream.settings import Settings
from fraudstream.stream.store import batch_files

START_LIMIT_S = 240
END_LIMIT_S = 300


@dataclass(frozen=True)
class Progress:
    """Messages that the producer has sent, micro-batches predicted, messages drawn; over: everything is sent."""

    sent: int
    predicted: int
    drawn: int
    over: bool


class Pipeline:
    """Starts and stops all parts; ``folder`` is emptied by nobody: it must be new."""

    def __init__(self, settings: Settings, folder: Path, rows: int, seed: int) -> None:
        """``settings``: data, model and interval; ``rows``: of a batch of browsing behaviour."""
        self.folder, self.rows, self.seed = folder, rows, seed
        self.broker = Broker(folder / "kafka", settings.jars_dir, config.free_port(frozenset()))
        self.relay = Relay(self.broker.port)
        (folder / "output").mkdir(parents=True)
        address = f"{HOST}:{self.relay.port}"
        given = {"output_dir": folder / "output", "bootstrap_servers": address, "idle_s": None, "batches": None}
        self.settings = settings.model_copy(update=given)
        self.drawn_file = folder / "drawn.jsonl"
        self.stream = Stream(self.settings)
        self.consumer = program("consumer", folder / "consumer.log", self.settings, self.drawn_file)
        self._stop_file = folder / "stop"
        arguments = (rows, seed, self._stop_file)
        self.producer = program("producer", folder / "producer.log", self.settings, *arguments)

    @property
    def replay(self) -> Replay:
        return Replay(self.settings.data_dir, self.rows, self.seed)

    def start(self) -> None:
        """Starts everything and returns when the first prediction can be read."""
        self.broker.prepare(self.relay.port)
        self.broker.start()
        address = self.settings.bootstrap_servers
        wait_for("Kafka answers", lambda: probe.cluster_id(address) is not None, START_LIMIT_S)
        ensure_topics(client_options(self.settings))
        self.stream.start()
        started = self.settings.checkpoints / PREDICTIONS / "metadata"
        wait_for("the stream starts", lambda: started.exists() or self._stream_failed(), START_LIMIT_S)
        self.producer.start()
        self.consumer.start()
        wait_for("the first prediction", lambda: self.progress().predicted > 0, START_LIMIT_S)
        wait_for("the first message is drawn", lambda: self.progress().drawn > 0, START_LIMIT_S)

    def progress(self) -> Progress:
        return Progress(
            _lines(self.folder / "producer.log", "sent "),
            sum(1 for _ in batch_files(self.settings.predictions)),
            _lines(self.drawn_file, "["),
            self.everything_sent(),
        )

    def everything_sent(self) -> bool:
        """Whether the producer has come to its end, by time or with the file."""
        return _lines(self.folder / "producer.log", "everything sent") > 0

    def ended_by_itself(self) -> dict[str, str]:
        """Part -> why it has ended although nobody killed it."""
        parts = {"stream": self.stream, "consumer": self.consumer, "broker": self.broker}
        if not self.everything_sent():
            parts["producer"] = self.producer
        return {name: part.ended_by_itself for name, part in parts.items() if part.ended_by_itself}

    def finish(self, read: Callable[[], bool]) -> None:
        """Ends the producer, waits until the stream has read all messages, and lets the notebook come to its end."""
        self._stop_file.touch()
        wait_for("everything is sent", self.everything_sent, END_LIMIT_S)
        wait_for("all messages are read", read, END_LIMIT_S, every_s=1)
        self.stream.finish()
        wait_for("all messages are drawn", lambda: self.progress().drawn >= self.progress().sent, 60)

    def stop(self) -> None:
        """Kills whatever still runs."""
        for part in (self.producer, self.consumer, self.stream, self.broker):
            part.kill()
        self.relay.close()

    def _stream_failed(self) -> bool:
        if self.stream.ended_by_itself:
            raise RuntimeError(f"The stream has not started: {self.stream.ended_by_itself}")
        return False


def _lines(path: Path, beginning: str) -> int:
    if not path.exists():
        return 0
    with path.open() as file:
        return sum(line.startswith(beginning) for line in file)
