"""The header pages of an Ogg stream that is going on: what a decoder needs before it can begin anywhere."""

from __future__ import annotations

import io
from typing import Final

from streamer.engine.encoding import PageBytes
from tidzam_platform.audio.ogg.codecs import StreamCodec, stream_codec
from tidzam_platform.audio.ogg.packets import PacketJoiner
from tidzam_platform.audio.ogg.pages import PageReader

MAX_HEADER_BYTES: Final = 1 << 20  # pictures in comments take most of it


class OggHeaders:
    """Looks at the pages of a stream in order and keeps the headers of the link that it is in.

    Attributes:
        data: the header pages so far.
    """

    def __init__(self) -> None:
        self.data = b""
        self._is_beginning = False  # among the first pages of a link's streams
        self._open: dict[
            int, tuple[StreamCodec | None, PacketJoiner]
        ] = {}  # streams whose headers are not over

    def take(self, page: PageBytes) -> bool:
        """Look at the next page; returns whether it belongs to the headers."""
        if page.is_first:
            if not self._is_beginning:
                self.data, self._open = b"", {}
            self._is_beginning = True
            self._open[page.serial] = (stream_codec(page.data[page.body :]), PacketJoiner())
        else:
            self._is_beginning = False
            if page.serial not in self._open or not self._holds_headers(page):
                self._open.pop(page.serial, None)
                return False
        if len(self.data) + len(page.data) > MAX_HEADER_BYTES:
            self._open = {}
            return False
        self.data += page.data
        return True

    def _holds_headers(self, page: PageBytes) -> bool:
        codec, joiner = self._open[page.serial]
        if codec is None:
            return page.granule <= 0
        for whole in PageReader(io.BytesIO(page.data)):
            packets = joiner.take(whole, drop_first=False, keep_bytes=MAX_HEADER_BYTES)
            return all(codec.take_header(packet) for packet in packets)
        return False  # damaged
