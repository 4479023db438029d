"""Audio that never ends, made of a few seconds of it, as a live server has it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Protocol

from tidzam_platform.audio.ogg.pages import FIRST, LAST, Page, PageReader, write_page


class EndlessMedia(Protocol):
    """What a stream is made of: a head that everyone gets first, and blocks without end.

    Attributes:
        content_type: what a server calls it.
        head: the bytes before the first block, whichever that is.
    """

    @property
    def content_type(self) -> str: ...

    @property
    def head(self) -> bytes: ...

    def block(self, index: int) -> bytes:
        """Block ``index``, from 0 on."""

    def begin_s(self, index: int) -> float:
        """When block ``index`` begins to play, seconds after block 0 did."""


class EndlessOgg:
    """An Ogg/Opus file round and round, its positions, numbers and checksums going on: one stream, no seam in them."""

    content_type = "audio/ogg"

    def __init__(self, data: bytes) -> None:
        """``data``: one Ogg/Opus stream of at least two pages of audio; the shorter its pages, the finer the pace."""
        pages = list(PageReader(io.BytesIO(data)))
        self._audio = [page for page in pages if page.granule > 0]
        headers = [page for page in pages if page.granule <= 0]
        assert headers[0].flags & FIRST
        assert len(self._audio) > 1
        self.head = b"".join(_rewritten(page, page.granule, page.sequence) for page in headers)
        self._headers = len(headers)
        self._round_frames = self._audio[-1].granule

    def block(self, index: int) -> bytes:
        rounds, place = divmod(index, len(self._audio))
        page = self._audio[place]
        return _rewritten(page, page.granule + rounds * self._round_frames, self._headers + index)

    def begin_s(self, index: int) -> float:
        rounds, place = divmod(index, len(self._audio))
        before = self._audio[place - 1].granule if place else 0
        return (rounds * self._round_frames + before) / 48000


@dataclass(frozen=True)
class EndlessFrames:
    """Frames that stand for themselves (MP3, ADTS, a transport stream), ``data`` of ``seconds`` round and round."""

    data: bytes
    seconds: float
    content_type: str
    head: bytes = b""
    block_bytes: int = 2048

    def block(self, index: int) -> bytes:
        begin = index * self.block_bytes % len(self.data)
        twice = self.data[begin : begin + self.block_bytes]
        return twice + self.data[: self.block_bytes - len(twice)]

    def begin_s(self, index: int) -> float:
        return index * self.block_bytes / len(self.data) * self.seconds


def _rewritten(page: Page, granule: int, sequence: int) -> bytes:
    return write_page(
        flags=page.flags & ~LAST,
        granule=granule,
        serial=page.serial,
        sequence=sequence,
        lacing=page.lacing,
        body=page.body,
    )
