"""A small RTSP server (RFC 2326) on loopback: one track of L16 at 8 kHz, interleaved only."""

from __future__ import annotations

import hashlib
import re
import socket
import struct
import threading
import time
from typing import Self

import numpy as np

RATE_HZ = 8000
TONE_HZ = 1000.0
_PACKET_FRAMES = 160
_NONCE = "0123456789abcdef"
_REALM = "camera"

SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=Test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
    f"m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L16/{RATE_HZ}/1\r\na=control:trackID=1\r\n"
)


class RtspServer:
    """Plays a tone of TONE_HZ to whoever asks, ``seconds`` of it at the speed at which it plays; a context manager.

    Args:
        login: user and password that it wants, by Digest; None: it wants none.
        redirect: where it sends everyone who asks for a description.
        status: with which it answers who asks for a description.
        seconds: how long it plays; it closes the connection then.
        transport: what it answers to SETUP instead of what was asked for.
        sdp: its description instead of the true one.

    Attributes:
        requests: the first lines and headers that came.
        connections: how many were accepted.
    """

    def __init__(
        self,
        *,
        login: tuple[str, str] | None = None,
        redirect: str | None = None,
        status: str = "200 OK",
        seconds: float = 3.0,
        transport: str | None = None,
        sdp: str = SDP,
    ) -> None:
        self._login, self._redirect, self._status = login, redirect, status
        self._seconds, self._transport, self._sdp = seconds, transport, sdp
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.port = int(self._listener.getsockname()[1])
        self.requests: list[str] = []
        self.connections = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with self._listener:
            while not self._stopping.is_set():
                try:
                    connection, _ = self._listener.accept()
                except TimeoutError:
                    continue
                self.connections += 1
                with connection:
                    connection.settimeout(0.1)
                    try:
                        self._serve(connection)
                    except OSError:  # the client left
                        continue

    def _serve(self, connection: socket.socket) -> None:
        buffer = b""
        while not self._stopping.is_set():
            if b"\r\n\r\n" not in buffer:
                try:
                    data = connection.recv(4096)
                except TimeoutError:
                    continue
                if not data:
                    return
                buffer += data
                continue
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            text = head.decode("latin-1")
            self.requests.append(text)
            answer = self._answer(text)
            connection.sendall(answer)
            if text.startswith("PLAY ") and b" 200 " in answer:
                self._play(connection)
                return

    def _answer(self, text: str) -> bytes:
        method, uri, _ = text.split("\r\n", maxsplit=1)[0].split(" ")
        headers = {"CSeq": _header(text, "CSeq")}
        status, body = "200 OK", ""
        if method == "OPTIONS":
            headers["Public"] = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
        elif self._login is not None and not self._is_authorized(text, method, uri):
            status = "401 Unauthorized"
            headers["WWW-Authenticate"] = f'Digest realm="{_REALM}", nonce="{_NONCE}"'
        elif method == "DESCRIBE" and self._redirect is not None:
            status = "302 Moved Temporarily"
            headers["Location"] = self._redirect
        elif method == "DESCRIBE":
            status, body = self._status, self._sdp
            headers |= {"Content-Base": f"{uri}/", "Content-Type": "application/sdp"}
        elif method == "SETUP":
            headers["Transport"] = self._transport or "RTP/AVP/TCP;unicast;interleaved=0-1"
            headers["Session"] = "12345678"
        elif method == "PLAY":
            headers |= {"Session": "12345678", "RTP-Info": f"url={uri}/trackID=1;seq=0;rtptime=0"}
        if body:
            headers["Content-Length"] = str(len(body))
        lines = [f"RTSP/1.0 {status}", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join([*lines, "", ""]) + body).encode()

    def _is_authorized(self, text: str, method: str, uri: str) -> bool:
        assert self._login is not None
        user, password = self._login
        said = _header(text, "Authorization")
        first, second = _md5(f"{user}:{_REALM}:{password}"), _md5(f"{method}:{uri}")
        return f'response="{_md5(f"{first}:{_NONCE}:{second}")}"' in said and f'username="{user}"' in said

    def _play(self, connection: socket.socket) -> None:
        begin_s = time.monotonic()
        for number in range(round(self._seconds * RATE_HZ / _PACKET_FRAMES)):
            if self._stopping.wait(max(begin_s + number * _PACKET_FRAMES / RATE_HZ - time.monotonic(), 0)):
                return
            first = number * _PACKET_FRAMES
            frames = np.arange(first, first + _PACKET_FRAMES)
            samples = (12000 * np.sin(2 * np.pi * TONE_HZ * frames / RATE_HZ)).astype(">i2").tobytes()
            packet = struct.pack(">BBHII", 0x80, 97, number & 0xFFFF, first, 1) + samples
            connection.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)


def _header(text: str, name: str) -> str:
    match = re.search(rf"^{name}:\s*(.*)$", text, re.MULTILINE | re.IGNORECASE)
    return match[1].strip() if match else ""


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
