"""A WebSocket client that sends what it is told to, right or wrong (RFC 6455)."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final

from tests.streamer.web.web_process import WebProcess

PATH: Final = "/socket.io/?EIO=4&transport=websocket"
TEXT: Final = 1
BINARY: Final = 2
CONTINUATION: Final = 0
CLOSE: Final = 8
PING: Final = 9


class RawSocket:
    """One connection, after its handshake."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.stream = connection.makefile("rb")

    def frame(self, opcode: int, payload: bytes, *, final: bool = True, masked: bool = True) -> None:
        """Send one frame."""
        length = len(payload)
        mask = os.urandom(4) if masked else b""
        bits = 0x80 if masked else 0
        if length < 126:
            head = bytes([bits | length])
        elif length < 1 << 16:
            head = bytes([bits | 126]) + struct.pack(">H", length)
        else:
            head = bytes([bits | 127]) + struct.pack(">Q", length)
        if masked:
            repeated = (mask * (length // 4 + 1))[:length]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(
                length, "big"
            )
        self.connection.sendall(bytes([(0x80 if final else 0) | opcode]) + head + mask + payload)

    def text(self, text: str) -> None:
        """Send a text message."""
        self.frame(TEXT, text.encode("utf-8", "surrogatepass"))

    def receive(self) -> tuple[int, bytes] | None:
        """The next frame of the server, short ones only; None at the end of the connection."""
        try:
            head = self.stream.read(2)
            if len(head) < 2:
                return None
            length = head[1]
            if length == 126:
                (length,) = struct.unpack(">H", self.stream.read(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self.stream.read(8))
            return head[0] & 0xF, self.stream.read(length)
        except ConnectionError:
            return None

    def until_end(self) -> list[tuple[int, bytes]]:
        """All frames until the server ends the connection."""
        return list(iter(self.receive, None))

    def connect_namespace(self) -> None:
        """Socket.IO's own greeting; nothing of it is looked at."""
        self.receive()
        self.text("40")
        self.receive()


@contextlib.contextmanager
def handshaken(web: WebProcess, **headers: str) -> Iterator[RawSocket]:
    """A WebSocket to the server."""
    with requested(web, **headers) as (status, raw):
        assert status == 101
        yield raw


@contextlib.contextmanager
def requested(web: WebProcess, **headers: str) -> Iterator[tuple[int, RawSocket]]:
    """The status of the answer to a request to upgrade, and the connection behind its headers."""
    host, _, port = web.address.rpartition(":")
    sent = {
        "Host": "localhost", "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value)
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"GET {PATH} HTTP/1.1\r\n{lines}\r\n".encode())
        raw = RawSocket(connection)
        with raw.stream:
            status = int(raw.stream.readline().split()[1])
            while raw.stream.readline() not in (b"\r\n", b""):
                pass
            yield status, raw
