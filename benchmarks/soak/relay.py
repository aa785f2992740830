"""A TCP relay in front of Kafka: the network that can be slow, reset, or cut."""

import socket
import threading
import time
from contextlib import suppress

HOST = "127.0.0.1"
CHUNK = 64 * 1024


class Relay:
    """Listens on ``port`` of 127.0.0.1 and passes each connection on to ``target``, another port there."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._delay_s = self._seconds_per_byte = 0.0
        self._cut = threading.Event()
        self._open: set[socket.socket] = set()
        self.passed = 0  # bytes
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def slow(self, delay_s: float, bits_per_second: float) -> None:
        """From now on each chunk takes ``delay_s`` and its share of ``bits_per_second``."""
        self._delay_s, self._seconds_per_byte = delay_s, 8 / bits_per_second

    def fast(self) -> None:
        """Passes everything on at once again."""
        self._delay_s = self._seconds_per_byte = 0.0

    def reset(self) -> int:
        """Closes all connections; new ones are accepted. Returns how many there were."""
        closing = list(self._open)
        for each in closing:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        return len(closing) // 2

    def cut(self) -> int:
        """Closes all connections and refuses others until ``mend``. Returns how many there were."""
        self._cut.set()
        return self.reset()

    def mend(self) -> None:
        """Accepts connections again."""
        self._cut.clear()

    def close(self) -> None:
        """Ends the relay."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            if self._cut.is_set():
                raise ConnectionRefusedError
            server = socket.create_connection((HOST, self._target), timeout=5)
            server.settimeout(None)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            client.close()
            return
        self._open |= {client, server}
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                time.sleep(self._delay_s + len(data) * self._seconds_per_byte)
                sink.sendall(data)
                self.passed += len(data)
        for each in (source, sink):
            self._open.discard(each)
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
