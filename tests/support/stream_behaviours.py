"""What the paths of a FaultyStreamServer do: stream well, or fail in one of the ways that streams fail."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.endless_media import EndlessMedia
from tests.support.faulty_stream_server import Exchange

FOREVER = float("inf")


def answer_head(status: str = "200 OK", *, protocol: str = "HTTP/1.1", **headers: str | int) -> bytes:
    """The head of an answer; underscores in names of headers become hyphens."""
    lines = [
        f"{protocol} {status}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")


class EndsWhenSwitched:
    """A connection that is in the middle of something else ends when this begins."""

    def take_over(self, exchange: Exchange) -> None:
        """Nothing else is sent."""


@dataclass
class Healthy:
    """A stream without end.

    Attributes:
        media: what it sends.
        real_time: at the speed at which it plays, from where everyone else is now; else as fast as it is taken, from
            the beginning.
        burst_s: so much is sent at once to begin with, as Icecast does.
        icy_interval: bytes of audio between two blocks of metadata, for clients that ask for them.
        title: the title in them.
        protocol: of the status line; ``ICY`` for SHOUTcast's.
        chunked: whether it comes in chunks.
        in_place: a connection that is in the middle of another stream goes on with this one, instead of ending.
    """

    media: EndlessMedia
    real_time: bool = True
    burst_s: float = 0.5
    icy_interval: int | None = None
    title: str = ""
    protocol: str = "HTTP/1.1"
    chunked: bool = False
    in_place: bool = False
    began_s: float = field(default_factory=time.monotonic)

    def respond(self, exchange: Exchange) -> None:
        headers = {"Content_Type": self.media.content_type, "icy_name": "A made stream"}
        interval = self.icy_interval if exchange.request.headers.get("icy-metadata") == "1" else None
        if interval is not None:
            headers["icy_metaint"] = str(interval)
        if self.chunked:
            headers["Transfer_Encoding"] = "chunked"
        exchange.send(answer_head(protocol=self.protocol, **headers))
        self._stream(exchange, _Interleaver(interval, self.title))

    def take_over(self, exchange: Exchange) -> None:
        if self.in_place:
            self._stream(exchange, _Interleaver(None, ""))

    def _stream(self, exchange: Exchange, interleaver: _Interleaver) -> None:
        def send(data: bytes) -> None:
            data = interleaver.take(data)
            exchange.send(b"%x\r\n%s\r\n" % (len(data), data) if self.chunked else data)

        index = self._live_index() if self.real_time else 0
        send(self.media.head)
        while True:
            if self.real_time:
                due_s = self.began_s + self.media.begin_s(index) - self.burst_s
                exchange.wait(max(due_s - time.monotonic(), 0))
            send(self.media.block(index))
            index += 1

    def _live_index(self) -> int:
        """The first block that has not begun yet."""
        now_s = time.monotonic() - self.began_s
        index = 0
        step = 1 << 20
        while step:
            if self.media.begin_s(index + step) <= now_s:
                index += step
            else:
                step >>= 1
        return index


class _Interleaver:
    """Puts blocks of metadata between the bytes of a stream."""

    def __init__(self, interval: int | None, title: str) -> None:
        self._interval = interval
        self._left = interval or 0
        text = f"StreamTitle='{title}';".encode()
        self._block = bytes([-(-len(text) // 16)]) + text.ljust(-(-len(text) // 16) * 16, b"\0")
        self._said = False

    def take(self, data: bytes) -> bytes:
        if self._interval is None:
            return data
        out = b""
        while data:
            part, data = data[: self._left], data[self._left :]
            out += part
            self._left -= len(part)
            if not self._left:
                out += b"\0" if self._said else self._block
                self._said = True
                self._left = self._interval
        return out


class Stall:
    """Takes the connection and the request, and sends nothing more; or stops in the middle, and stays."""

    def __init__(self, head: bytes = b"") -> None:
        self._head = head

    def respond(self, exchange: Exchange) -> None:
        exchange.send(self._head)
        exchange.hold()

    def take_over(self, exchange: Exchange) -> None:
        exchange.hold()


class Reset:
    """Ends every connection with RST."""

    def respond(self, exchange: Exchange) -> None:
        exchange.reset()

    def take_over(self, exchange: Exchange) -> None:
        exchange.reset()


@dataclass
class Dribble:
    """Sends the right bytes, a few of them at a time and far too slowly."""

    media: EndlessMedia
    bytes_at_a_time: int = 1
    every_s: float = 0.5

    def respond(self, exchange: Exchange) -> None:
        exchange.send(answer_head(Content_Type=self.media.content_type))
        self._dribble(exchange, self.media.head + self.media.block(0) + self.media.block(1))

    def take_over(self, exchange: Exchange) -> None:
        self._dribble(exchange, self.media.block(0) + self.media.block(1))

    def _dribble(self, exchange: Exchange, data: bytes) -> None:
        for begin in range(0, len(data), self.bytes_at_a_time):
            exchange.send(data[begin : begin + self.bytes_at_a_time])
            exchange.wait(self.every_s)
        exchange.hold()


@dataclass
class SlowHeaders(EndsWhenSwitched):
    """Sends its headers byte by byte, and never comes to their end."""

    every_s: float = 0.2

    def respond(self, exchange: Exchange) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nContent-Type: audio/ogg\r\nX-Slow: " + b"x" * 4000:
            exchange.send(bytes([byte]))
            exchange.wait(self.every_s)


@dataclass
class Garbage:
    """Answers well, and sends nothing but chance, 4 KiB at a time; it is of no container."""

    seed: int = 1
    content_type: str = "audio/ogg"
    every_s: float = 0.05

    def respond(self, exchange: Exchange) -> None:
        exchange.send(answer_head(Content_Type=self.content_type))
        self.take_over(exchange)

    def take_over(self, exchange: Exchange) -> None:
        generator = random.Random(self.seed)  # noqa: S311 - no secret
        while True:
            exchange.send(generator.randbytes(4096).replace(b"\xff", b"\xfe"))
            exchange.wait(self.every_s)


@dataclass
class HalfPage:
    """Sends a good beginning and then the first half of a block, and closes."""

    media: EndlessMedia
    blocks: int = 2

    def respond(self, exchange: Exchange) -> None:
        exchange.send(answer_head(Content_Type=self.media.content_type) + self.media.head)
        for index in range(self.blocks):
            exchange.send(self.media.block(index))
        self.take_over(exchange)

    def take_over(self, exchange: Exchange) -> None:
        block = self.media.block(self.blocks)
        exchange.send(block[: len(block) // 2])


@dataclass
class Status(EndsWhenSwitched):
    """Answers with a status and nothing else."""

    status: str = "404 Not Found"

    def respond(self, exchange: Exchange) -> None:
        exchange.send(answer_head(self.status, Content_Length=0))


@dataclass
class Redirect(EndsWhenSwitched):
    """Leads elsewhere."""

    location: str
    status: str = "302 Found"

    def respond(self, exchange: Exchange) -> None:
        exchange.send(answer_head(self.status, Location=self.location, Content_Length=0))


@dataclass
class Raw(EndsWhenSwitched):
    """Sends these bytes, head and all, and closes; or stays until the client leaves."""

    data: bytes
    stays: bool = False

    def respond(self, exchange: Exchange) -> None:
        exchange.send(self.data)
        if self.stays:
            exchange.hold()


@dataclass
class Fixed(EndsWhenSwitched):
    """A file; parts of it for who asks for them."""

    data: bytes
    content_type: str = "application/octet-stream"

    def respond(self, exchange: Exchange) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", exchange.request.headers.get("range", ""))
        if asked is None:
            head = answer_head(Content_Type=self.content_type, Content_Length=len(self.data))
            exchange.send(head + self.data)
            return
        part = self.data[int(asked[1]) : int(asked[2]) + 1]
        said = f"bytes {asked[1]}-{asked[2]}/{len(self.data)}"
        head = answer_head("206 Partial Content", Content_Range=said, Content_Length=len(part))
        exchange.send(head + part)


class HlsLive(EndsWhenSwitched):
    """A live HLS playlist (``live.m3u8``) and its segments, for a path that ends with ``/``.

    Args:
        segments: round and round; there is a discontinuity where they begin anew.
        segment_s: how long each plays.
        window: how many the playlist has.
        real_time: whether a new one comes each ``segment_s``; else only by ``advance``.
        initialization: what must be read before them (fragmented MP4).
    """

    def __init__(
        self,
        segments: Sequence[bytes],
        segment_s: float,
        *,
        window: int = 5,
        real_time: bool = True,
        initialization: bytes | None = None,
    ) -> None:
        self.segments = list(segments)
        self.segment_s = segment_s
        self.window = window
        self.initialization = initialization
        self.is_ended = False
        self.missing: set[int] = set()
        self._real_time = real_time
        self._began_s = time.monotonic()
        self._advanced = 0

    def advance(self, segments: int = 1) -> None:
        """Let so many segments become the past."""
        self._advanced += segments

    @property
    def first(self) -> int:
        """Sequence number of the first segment of the playlist."""
        passed = int((time.monotonic() - self._began_s) / self.segment_s) if self._real_time else 0
        return passed + self._advanced

    def respond(self, exchange: Exchange) -> None:
        name = exchange.request.path.rpartition("/")[2]
        number = re.fullmatch(r"segment-(\d+)", name)
        if name == "live.m3u8":
            Fixed(self._playlist().encode(), "application/vnd.apple.mpegurl").respond(exchange)
        elif name == "initialization" and self.initialization is not None:
            Fixed(self.initialization).respond(exchange)
        elif number is not None and int(number[1]) not in self.missing:
            Fixed(self.segments[int(number[1]) % len(self.segments)]).respond(exchange)
        else:
            Status().respond(exchange)

    def _playlist(self) -> str:
        first = self.first
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{max(round(self.segment_s), 1)}"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
        if self.initialization is not None:
            lines.append('#EXT-X-MAP:URI="initialization"')
        for number in range(first, first + self.window):
            if number and number % len(self.segments) == 0:
                lines.append("#EXT-X-DISCONTINUITY")
            lines += [f"#EXTINF:{self.segment_s:.3f},", f"segment-{number}"]
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if self.is_ended else []), ""])
