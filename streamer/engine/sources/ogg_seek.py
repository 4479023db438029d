"""Beginning far into an Ogg file without decoding, or even reading, all that comes before."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from streamer.engine.fetching.cancellation import Cancellation
from tidzam_platform.audio.ogg.codecs import StreamCodec, stream_codec
from tidzam_platform.audio.ogg.link_reader import LinkReader
from tidzam_platform.audio.ogg.pages import FIRST, Page, PageReader
from tidzam_platform.audio.ogg.timeline import Timeline, read_timeline

# Decoders converge within 80 ms in Opus (RFC 7845 section 4.6) and a packet in Vorbis; a page lasts up to a second.
_LEAD_S: Final = 2.0
_HEAD_PAGES: Final = 2  # of audio: they say which position is time 0
_MAX_HEAD_PAGES: Final = 4096
_FINE_BYTES: Final = 1 << 16
_BUFFER_BYTES: Final = 1 << 18
_ROUNDING_S: Final = 0.002


@dataclass(frozen=True)
class OggHead:
    """The beginning of a file: its first stream of audio, where the beginning ends (byte), and time 0 (granule)."""

    codec: StreamCodec
    serial: int
    end_byte: int
    origin: int


class SplicedFile(io.RawIOBase):
    """Ranges of a file, one after the other, as one file; ends with FetchError when it is cancelled."""

    def __init__(
        self, handle: BinaryIO, ranges: Sequence[tuple[int, int]], cancellation: Cancellation
    ) -> None:
        super().__init__()
        self._handle, self._ranges, self._cancellation = handle, ranges, cancellation
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte, counted in the ranges."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size()}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def tell(self) -> int:
        """The byte that is read next."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` from one range."""
        self._cancellation.require_going()
        passed = 0
        for begin, end in self._ranges:
            inside = self._position - passed
            if inside < end - begin:
                self._handle.seek(begin + inside)
                data = self._handle.read(min(len(buffer), end - begin - inside))
                buffer[: len(data)] = data
                self._position += len(data)
                return len(data)
            passed += end - begin
        return 0

    def _size(self) -> int:
        return sum(end - begin for begin, end in self._ranges)


def read_head(handle: BinaryIO) -> OggHead | None:
    """Read the first pages; None if no audio is found there."""
    reader: LinkReader | None = None
    audio_pages = 0
    for number, page in enumerate(PageReader(handle)):
        if number > _MAX_HEAD_PAGES:
            break
        if reader is None:
            codec = stream_codec(page.body) if page.flags & FIRST else None
            reader = None if codec is None else LinkReader(codec, page)
        elif page.serial == reader.serial and not page.flags & FIRST:
            reader.add(page)
            audio_pages += reader.has_packets and page.granule > 0
            if audio_pages == _HEAD_PAGES:
                return OggHead(reader.codec, reader.serial, page.end, reader.finish().origin)
    return None


def timeline_from(
    handle: BinaryIO,
    size_bytes: int,
    start_s: float,
    cancellation: Cancellation,
    *,
    known_s: float | None = None,
) -> tuple[BinaryIO, Timeline] | None:
    """The time axis of a file, as if all between its first pages and shortly before ``start_s`` were lost.

    Args:
        handle: the file.
        size_bytes: its length.
        start_s: what comes from there on is true.
        cancellation: ends the reading.
        known_s: length of the whole time axis, if that is known: proves that no position was misread.

    Returns:
        What the timeline's runs are read from, and the timeline. None if the file must be read from its beginning: it
        is short, it is a chain of files, its clock was set, or it is damaged.
    """
    head = read_head(handle)
    if head is None:
        return None
    target = head.origin + round((start_s - _LEAD_S) * head.codec.rate_hz)
    begin = _page_before(handle, head, size_bytes, target)
    if begin is None:
        return None
    ranges = ((0, head.end_byte), (begin, size_bytes))
    spliced = cast(BinaryIO, io.BufferedReader(SplicedFile(handle, ranges, cancellation), _BUFFER_BYTES))
    timeline = read_timeline(spliced)
    if known_s is not None and abs(timeline.seconds - known_s) > _ROUNDING_S:
        return None
    if len(timeline.stretches) < 2 or timeline.stretches[1].start_s > start_s:
        return None
    return spliced, timeline


def _page_before(handle: BinaryIO, head: OggHead, size_bytes: int, target: int) -> int | None:
    """The byte of a page that ends before the position ``target``, close to it; None if there is none worth a jump."""
    low: Page | None = None
    low_byte, high_byte = head.end_byte, size_bytes
    while high_byte - low_byte > _FINE_BYTES:
        middle = (low_byte + high_byte) // 2
        page = _page_with_position(handle, head.serial, middle, high_byte)
        if page is None or page.granule >= target:
            high_byte = middle
        else:
            low, low_byte = page, page.end
    return None if low is None else low.offset


def _page_with_position(handle: BinaryIO, serial: int, begin: int, end: int) -> Page | None:
    pages: Iterator[Page] = iter(PageReader(handle, begin, end))
    return next((page for page in pages if page.serial == serial and page.granule >= 0), None)
