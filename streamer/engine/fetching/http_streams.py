"""A stream or file over HTTP, from the first byte on."""

from __future__ import annotations

import time

from streamer.engine.fetching.http import Response
from streamer.engine.fetching.http_bodies import Body
from streamer.engine.fetching.icy import WithoutMetadata, header_metadata
from streamer.engine.fetching.streams import READ_BYTES, ByteStream
from tidzam_platform.audio.sniffing import Container


class HttpStream(ByteStream):
    """The body of an answer, titles taken out.

    Args:
        response: whose body it is; closed with the stream.
        body: what is read from: the body without ICY metadata.
        head: bytes of it that have been read already.
        container: what ``head`` is of.
        stall_s: how long the server may send nothing.
    """

    def __init__(
        self, response: Response, body: Body, head: bytes, container: Container, *, stall_s: float
    ) -> None:
        self.container = container
        self.is_live = response.length is None
        response.connection.limited_by = "sources.no_samples_s"
        self._response = response
        self._body = body
        self._head = head
        self._stall_s = stall_s
        self._bytes = 0

    def read(self, max_bytes: int = READ_BYTES, deadline_s: float | None = None) -> bytes:
        """As :meth:`ByteStream.read`."""
        if self._head:
            data, self._head = self._head[:max_bytes], self._head[max_bytes:]
        else:
            until_s = time.monotonic() + self._stall_s
            data = self._body.read(max_bytes, until_s if deadline_s is None else min(until_s, deadline_s))
        self._bytes += len(data)
        return data

    def metadata(self) -> dict[str, str]:
        """As :meth:`ByteStream.metadata`."""
        title = self._body.title if isinstance(self._body, WithoutMetadata) else ""
        return header_metadata(self._response.head) | ({"title": title} if title else {})

    def counts(self) -> dict[str, int]:
        """``bytes`` of audio, and ``titles`` that came between them."""
        titles = self._body.blocks if isinstance(self._body, WithoutMetadata) else 0
        return {"bytes": self._bytes, "titles": titles}

    def close(self) -> None:
        """As :meth:`ByteStream.close`."""
        self._response.close()
