"""RTSP messages and the binary data between them (RFC 2326 sections 4 and 10.12), taken apart and written anew.

What goes on is always written anew: two programs that read the same bytes differently are how redirects get past.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from tidzam_platform.errors import FetchError

MAX_HEAD_BYTES: Final = 1 << 14
MAX_BODY_BYTES: Final = 1 << 18
_FRAME_SIGN: Final = 0x24  # "$"
_FRAME_HEADER_BYTES: Final = 4
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_LENGTH: Final = re.compile(r"[0-9]{1,7}")


@dataclass(frozen=True)
class RtspMessage:
    """A request or an answer.

    Attributes:
        start: the first line.
        headers: (name, value) in their order, ``Content-Length`` left out.
        body: e.g. a session description.
    """

    start: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    @property
    def status(self) -> int | None:
        """Of an answer; None of a request."""
        if not self.start.startswith("RTSP/"):
            return None
        code = self.start.split(" ", 2)[1:2]
        if not code or not re.fullmatch(r"[1-9][0-9]{2}", code[0]):
            raise FetchError("the RTSP server's answer has no status")
        return int(code[0])

    def get(self, name: str) -> str | None:
        """The first header of that name (lower case)."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        """All headers of that name (lower case)."""
        return [value for key, value in self.headers if key.lower() == name]

    def with_header(self, name: str, value: str) -> RtspMessage:
        """The same with that header, and no other of its name."""
        others = tuple(item for item in self.headers if item[0].lower() != name.lower())
        return replace(self, headers=(*others, (name, value)))

    def written(self) -> bytes:
        """Its bytes, in the only form that leaves nothing to understand differently."""
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


class RtspParser:
    """Cuts what one side sends into messages and frames; bounded."""

    def __init__(self, sender: str) -> None:
        """``sender`` is for messages."""
        self._sender = sender
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[RtspMessage | bytes]:
        """Take bytes.

        Returns:
            What is complete now: messages, and interleaved frames as they came.

        Raises:
            FetchError: it is no RTSP, or too large.
        """
        self._buffer += data
        found: list[RtspMessage | bytes] = []
        while (item := self._next()) is not None:
            found.append(item)
        return found

    def _next(self) -> RtspMessage | bytes | None:
        while self._buffer.startswith((b"\r", b"\n")):  # between messages some send empty lines
            del self._buffer[:1]
        if not self._buffer:
            return None
        if self._buffer[0] == _FRAME_SIGN:
            return self._frame()
        return self._message()

    def _frame(self) -> bytes | None:
        if len(self._buffer) < _FRAME_HEADER_BYTES:
            return None
        length = _FRAME_HEADER_BYTES + int.from_bytes(self._buffer[2:4], "big")
        return self._take(length)

    def _message(self) -> RtspMessage | None:
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEAD_BYTES:
                raise FetchError(f"{self._sender} does not speak RTSP, or has too many headers")
            return None
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        if not all(_LINE.fullmatch(line) for line in lines):
            raise FetchError(f"{self._sender} sent an RTSP message with control characters")
        headers = [self._header(line) for line in lines[1:]]
        lengths = {value for name, value in headers if name.lower() == "content-length"}
        length = lengths.pop() if lengths else "0"
        if lengths or not _LENGTH.fullmatch(length) or int(length) > MAX_BODY_BYTES:
            raise FetchError(f"{self._sender} sent an RTSP message of a length that makes no sense")
        whole = self._take(end + 4 + int(length))
        if whole is None:
            return None
        kept = tuple(header for header in headers if header[0].lower() != "content-length")
        return RtspMessage(lines[0], kept, whole[end + 4 :])

    def _header(self, line: str) -> tuple[str, str]:
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name) or name.startswith("$"):
            raise FetchError(f"{self._sender} sent an RTSP message with a header that is none")
        return name, value.strip()

    def _take(self, length: int) -> bytes | None:
        if len(self._buffer) < length:
            return None
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken
