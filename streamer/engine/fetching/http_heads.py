"""The head of an HTTP answer (RFC 9112), and of SHOUTcast's, which begins with ``ICY``; bounded in every direction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from streamer.engine.fetching.connections import Connection
from tidzam_platform.errors import FetchError

MAX_LINE_BYTES: Final = 8192
MAX_HEADERS: Final = 100
MAX_HEAD_BYTES: Final = 1 << 16
_MAX_INTERIM: Final = 5  # 1xx answers before the real one
_MAX_REASON: Final = 60

_STATUS: Final = re.compile(rb"(?:HTTP/1\.[01]|ICY) ([1-9][0-9]{2})(?: ([^\x00]*))?")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class ResponseHead:
    """Status and headers.

    Attributes:
        status: three digits.
        reason: what the server calls it, printable ASCII, shortened.
        headers: (name in lower case, value) in their order.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """The value of the first header of that name (lower case)."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def content_type(self) -> str:
        """The media type without parameters, in lower case."""
        return (self.get("content-type") or "").partition(";")[0].strip().lower()

    @property
    def content_length(self) -> int | None:
        """``Content-Length``, None if it is not said; FetchError if it is said twice or is no number."""
        values = {
            part.strip()
            for key, value in self.headers
            if key == "content-length"
            for part in value.split(",")
        }
        if not values:
            return None
        value = values.pop()
        if values or not _LENGTH.fullmatch(value):
            raise FetchError("the server's answer has a Content-Length that makes no sense")
        return int(value)

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks; FetchError for a transfer coding that is not taken."""
        codings = [
            part.strip().lower()
            for key, value in self.headers
            if key == "transfer-encoding"
            for part in value.split(",")
        ]
        if codings in ([], ["identity"]):
            return False
        if codings != ["chunked"]:
            raise FetchError("the server's answer has a Transfer-Encoding that was not asked for")
        return True

    def require_plain(self) -> None:
        """FetchError if the body is compressed: that was not asked for, and could blow up."""
        coding = (self.get("content-encoding") or "identity").strip().lower()
        if coding != "identity":
            raise FetchError(
                f"the server's answer is compressed ({printable(coding, _MAX_REASON)}), which was not asked for"
            )


def read_head(connection: Connection, deadline_s: float) -> ResponseHead:
    """Read status line and headers; what follows on the connection is the body.

    Raises:
        FetchError: it is no HTTP, too large, or does not come in time.
    """
    for _ in range(_MAX_INTERIM):
        head = _read_one(connection, deadline_s)
        if head.status >= 200 or head.status == 101:
            return head
    raise FetchError("the server sends nothing but interim answers (1xx)")


def parse_head(lines: Iterator[bytes]) -> ResponseHead:
    """Make sense of the lines of a head, the status line first, without the empty line at its end.

    Raises:
        FetchError: they are no head of an HTTP answer.
    """
    status = _STATUS.fullmatch(next(lines, b""))
    if status is None:
        raise FetchError("the server does not answer in HTTP")
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name) or b"\0" in value or b"\r" in value:
            raise FetchError("the server's answer has a header that is none")
        headers.append((name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")))
    reason = printable((status[2] or b"").decode("latin-1"), _MAX_REASON)
    return ResponseHead(int(status[1]), reason, tuple(headers))


def printable(text: str, max_length: int) -> str:
    """Text of a server as it may stand in a message: ASCII without control characters, shortened."""
    return _UNPRINTABLE.sub("?", text).strip()[:max_length]


def _read_one(connection: Connection, deadline_s: float) -> ResponseHead:
    lines: list[bytes] = []
    size = 0
    while line := connection.read_line(MAX_LINE_BYTES, deadline_s):
        lines.append(line)
        size += len(line)
        if len(lines) > MAX_HEADERS + 1 or size > MAX_HEAD_BYTES:
            raise FetchError(
                f"the server's answer has more than {MAX_HEADERS} headers or {MAX_HEAD_BYTES} bytes of them"
            )
    return parse_head(iter(lines))
