"""A TCP relay before a server that cuts answers short, as a bad network does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_BLOCK = 16384
_PATIENCE_S = 20.0


class CuttingRelay:
    """Passes bytes on; of the next ``cuts`` connections whose answer is longer, only ``after_bytes`` of it."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._stopping = False
        self.cuts = 0
        self.after_bytes = 0
        self.cut = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return "http://{}:{}".format(*self._listener.getsockname()[:2])

    def close(self) -> None:
        """End all."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(_PATIENCE_S)

    def _accept(self) -> None:
        while not self._stopping:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target, timeout=_PATIENCE_S) as server:
            client.settimeout(_PATIENCE_S)
            upward = threading.Thread(target=_pump, args=(client, server), daemon=True)
            upward.start()
            passed = 0
            with contextlib.suppress(OSError):
                while block := server.recv(_BLOCK):
                    passed += len(block)
                    client.sendall(block)
                    if passed > self.after_bytes and self._takes_a_cut():
                        break
            for one in (client, server):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            upward.join(_PATIENCE_S)

    def _takes_a_cut(self) -> bool:
        with self._lock:
            if self.cuts == 0:
                return False
            self.cuts -= 1
            self.cut += 1
            return True


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(_BLOCK):
            target.sendall(block)


@contextlib.contextmanager
def cutting_relay(url: str) -> Iterator[CuttingRelay]:
    """A relay before the server at ``url``, ``http://host:port``."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    relay = CuttingRelay(host, int(port))
    try:
        yield relay
    finally:
        relay.close()
