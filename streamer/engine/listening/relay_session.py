"""One connection of a relay: its request, and then the stream."""

from __future__ import annotations

import socket
from typing import Final

from streamer.engine.listening.mounts import Mount
from streamer.engine.listening.relay_request import MAX_REQUEST_BYTES
from streamer.engine.listening.streams import Stream

REQUEST_S: Final = 5.0  # for a request to come, and for a refusal to be taken
STUCK_S: Final = 10.0  # in which a relay takes nothing of what there is
MAX_UNSENT_BYTES: Final = 1 << 20


class RelaySession:
    """A connection that was accepted. For one thread; nothing of it waits."""

    def __init__(self, connection: socket.socket, now_s: float) -> None:
        self._connection = connection
        self._connection.setblocking(False)
        self._unsent = bytearray()
        self._taken_s = now_s  # when the relay last took or sent something
        self.descriptor = connection.fileno()
        self.received = b""
        self.is_refused = False
        self.mount: Mount | None = None
        self.stream: Stream | None = None

    @property
    def unsent_bytes(self) -> int:
        """What the relay has not taken."""
        return len(self._unsent)

    def receive(self) -> bool:
        """Take what the relay sent; False if it is gone."""
        try:
            data = self._connection.recv(MAX_REQUEST_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if self.stream is None and len(self.received) <= MAX_REQUEST_BYTES:
            self.received += data
        return bool(data)

    def begin(self, mount: Mount, stream: Stream, head: bytes) -> None:
        """Answer with the stream."""
        self.mount, self.stream = mount, stream
        self._unsent += head
        self.send()

    def refuse(self, answer: bytes) -> None:
        """Answer with ``answer``, and end."""
        self.is_refused = True
        self._unsent += answer
        self.send()

    def send(self) -> bool:
        """Send what goes now; False if the relay is gone."""
        try:
            while self._unsent:
                sent = self._connection.send(self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def tick(self, now_s: float) -> bool:
        """Move on; False if this is the end of it."""
        if self.stream is None:
            if self.is_refused and not self._unsent:
                return False
            return self.send() and now_s - self._taken_s < REQUEST_S
        before = len(self._unsent)
        if before < MAX_UNSENT_BYTES:
            self._unsent += self.stream.tick(now_s)
        if self.stream.has_failed or not self.send():
            return False
        if not self._unsent or len(self._unsent) < before:
            self._taken_s = now_s
        return now_s - self._taken_s < STUCK_S

    def close(self) -> None:
        """End it, and its stream."""
        if self.stream is not None:
            self.stream.close()
        self._connection.close()
