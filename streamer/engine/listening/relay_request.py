"""What Icecast's relay asks, and the heads of our answers: HTTP/1.0, one request a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streamer.engine.listening.mounts import Mount

MAX_REQUEST_BYTES: Final = 8192
_END: Final = b"\r\n\r\n"
_REASONS: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class RelayRequest:
    """A request, as far as it concerns us."""

    method: str
    path: str
    authorization: str


def parse_request(data: bytes) -> RelayRequest | None:
    """The request that ``data`` begins with; None while it is not whole.

    Raises:
        ValueError: it is no request, or longer than MAX_REQUEST_BYTES.
    """
    head, end, _ = data.partition(_END)
    if len(head) > MAX_REQUEST_BYTES:
        raise ValueError("too long")
    if not end:
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, path, version = lines[0].split(" ")
    if not version.startswith("HTTP/1.") or not path.startswith("/"):
        raise ValueError("no HTTP")
    authorization = ""
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError("no header")
        if name.strip().lower() == "authorization":
            authorization = value.strip()
    return RelayRequest(method, path, authorization)


def stream_head(mount: Mount, bitrate_kbps: int) -> bytes:
    """The head of an answer that a stream follows, with what Icecast tells its listeners."""
    headers = {
        "Content-Type": mount.content_type,
        "Cache-Control": "no-store",
        "ice-name": mount.title,
        "ice-description": mount.channel or mount.source,
        "ice-genre": "ambient",
        "ice-public": "0",
    }
    if mount.format != "copy":
        headers["ice-bitrate"] = str(bitrate_kbps)
    if mount.place is not None:
        headers["ice-url"] = f"geo:{mount.place}"  # RFC 5870
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.0 200 OK\r\n{lines}\r\n".encode()


def refusal(code: int) -> bytes:
    """A whole answer that refuses."""
    authenticate = 'WWW-Authenticate: Basic realm="tidzam"\r\n' if code == 401 else ""
    return f"HTTP/1.0 {code} {_REASONS[code]}\r\n{authenticate}Content-Length: 0\r\n\r\n".encode()
