"""Erasing stretches of an Ogg file: packets of them become silence, all others stay bit by bit.

Nothing is encoded again: the time axis stays what it is, and what was erased is in no byte of the new file. Bytes that
belong to no whole page, and pages that nothing is decoded of, are left out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from tidzam_platform.archive.erased_tag import ERASED_TAG, Span, comments_of, joined, spans_of
from tidzam_platform.audio.ogg.codecs import StreamCodec, stream_codec
from tidzam_platform.audio.ogg.packets import PacketJoiner
from tidzam_platform.audio.ogg.pages import (
    CONTINUED,
    FIRST,
    LAST,
    MAX_SEGMENTS,
    NO_GRANULE,
    Page,
    PageReader,
    write_packet_pages,
    write_page,
)
from tidzam_platform.audio.ogg.timeline import Timeline, read_timeline
from tidzam_platform.erasing.ogg_packets import Edits, PageEdit, plan_edits
from tidzam_platform.erasing.silent_packets import Silencer, silencer_of
from tidzam_platform.errors import ArchiveError

_MAX_HEADER_BYTES: Final = 1 << 24
_COMMENT_HEADS: Final = (b"OpusTags", b"\x03vorbis")
_FLAC_COMMENT: Final = 4
_FLAC_MAX_BLOCK: Final = (1 << 24) - 1


def erase_ogg(source: Path, target: Path, spans: Sequence[Span]) -> tuple[Span, ...]:
    """Write ``source`` without what sounds within ``spans``; returns the silence that there is now, in s of the file.

    Args:
        source: Opus, Vorbis or FLAC in Ogg.
        target: a file that is written.
        spans: begin and end within the file, in s.

    Raises:
        ArchiveError: it holds streams that we do not decode.
        DecodingError, EmptyAudioError, UnknownAudioFormatError: as ``read_timeline``.
    """
    with source.open("rb") as handle, target.open("wb") as output:
        timeline = read_timeline(handle)
        headers = dict(_headers(handle, timeline))
        silencers = {
            serial: silencer_of(_codec(timeline, serial), packets[0])
            for serial, (packets, _) in headers.items()
        }
        edits = plan_edits(handle, timeline, silencers, spans)
        within = ((max(begin_s, 0.0), min(end_s, timeline.seconds)) for begin_s, end_s in edits.silenced)
        erased = joined([*spans_of(timeline.tags), *within])
        for data in _pages(handle, timeline, headers, silencers, edits, erased):
            output.write(data)
    return erased


def _codec(timeline: Timeline, serial: int) -> StreamCodec:
    return next(stretch.link.codec for stretch in timeline.stretches if stretch.link.serial == serial)


def _headers(handle: BinaryIO, timeline: Timeline) -> Iterator[tuple[int, tuple[list[bytes], int]]]:
    """Of each link its header packets, and how many pages they took."""
    for serial, begin in _links(timeline).items():
        codec: StreamCodec | None = None
        joiner, pages = PacketJoiner(), 0
        packets: list[bytes] = []
        for page in PageReader(handle, 0, begin):
            if page.serial != serial:
                continue
            if page.flags & FIRST:
                codec, joiner, packets, pages = stream_codec(page.body), PacketJoiner(), [], 0
            pages += 1
            for packet in joiner.take(page, drop_first=False, keep_bytes=_MAX_HEADER_BYTES):
                if codec is not None and (not packets or codec.take_header(packet)):
                    packets.append(packet)
        if not packets:
            raise ArchiveError("its headers cannot be found again")
        yield serial, (packets, pages)


def _links(timeline: Timeline) -> dict[int, int]:
    """Where the audio of each link begins, by its serial number."""
    begins: dict[int, int] = {}
    for stretch in timeline.stretches:
        serial = stretch.link.serial
        first = min(run.first_byte for run in stretch.link.runs)
        if begins.setdefault(serial, first) != first:
            raise ArchiveError("two of its parts have the same number: it cannot be erased in place")
    return begins


def _pages(
    handle: BinaryIO,
    timeline: Timeline,
    headers: dict[int, tuple[list[bytes], int]],
    silencers: dict[int, Silencer],
    edits: Edits,
    erased: Sequence[Span],
) -> Iterator[bytes]:
    audio = sorted(
        {(run.first_byte, run.end_byte) for stretch in timeline.stretches for run in stretch.link.runs}
    )
    first_serial = timeline.stretches[0].link.serial
    shifts: dict[int, int] = {}
    for page in PageReader(handle):
        if page.serial not in headers:
            raise ArchiveError("it holds other streams beside its audio: it cannot be erased in place")
        if page.serial not in shifts:
            packets, old_pages = headers[page.serial]
            told = erased if page.serial == first_serial else ()
            changed = [_with_comments(silencers[page.serial].header(packet), told) for packet in packets]
            new_pages = list(_header_pages(changed, page))
            shifts[page.serial] = len(new_pages) - old_pages
            yield from new_pages
        if any(begin <= page.offset < end for begin, end in audio):
            yield _edited(page, edits.pages.get(page.offset), shifts[page.serial])


def _header_pages(packets: Iterable[bytes], first: Page) -> Iterator[bytes]:
    sequence = first.sequence
    for number, packet in enumerate(packets):
        pages = write_packet_pages(packet, first=number == 0, serial=first.serial, sequence=sequence)
        sequence += len(pages)
        yield from pages


def _with_comments(packet: bytes, erased: Sequence[Span]) -> bytes:
    """A comment header that tells what was erased; any other packet as it is."""
    head = next((head for head in _COMMENT_HEADS if packet.startswith(head)), None)
    if head is not None:
        return head + _comments(packet[len(head) :], erased)
    if (
        packet[:1]
        and packet[0] & 0x7F == _FLAC_COMMENT
        and len(packet) - 4 == int.from_bytes(packet[1:4], "big")
    ):
        block = _comments(packet[4:], erased)
        if len(block) > _FLAC_MAX_BLOCK:
            raise ArchiveError("its comments would be too long")
        return packet[:1] + len(block).to_bytes(3, "big") + block
    return packet


def _comments(data: bytes, erased: Sequence[Span]) -> bytes:
    """The fields with ours in place of what they said before; what follows them (a framing bit) stays."""
    position = 4 + int.from_bytes(data[:4], "little")
    vendor, count = data[:position], int.from_bytes(data[position : position + 4], "little")
    position += 4
    fields: list[bytes] = []
    for _ in range(count):
        length = int.from_bytes(data[position : position + 4], "little")
        field = data[position + 4 : position + 4 + length]
        if len(field) < length:
            raise ArchiveError("its comments are damaged")
        position += 4 + length
        if not field.upper().startswith(f"{ERASED_TAG}=".encode()):
            fields.append(field)
    fields += [text.encode() for text in comments_of(erased)]
    body = b"".join(len(field).to_bytes(4, "little") + field for field in fields)
    return vendor + len(fields).to_bytes(4, "little") + body + data[position:]


def _edited(page: Page, edit: PageEdit | None, shift: int) -> bytes:
    lacing, body, flags = page.lacing, page.body, page.flags
    if edit is not None:
        lengths, unfinished = page.packet_lengths()
        lacing, body = b"", b""
        position = 0
        for number, length in enumerate(lengths):
            is_open = unfinished and number == len(lengths) - 1
            data = edit.pieces.get(number, page.body[position : position + length])
            position += length
            if data is None:  # its packet, silent now, lies where it ends
                continue
            if number == 0 and number in edit.pieces:
                flags &= ~CONTINUED
            lacing += bytes([MAX_SEGMENTS]) * (len(data) // MAX_SEGMENTS)
            if not is_open:
                lacing += bytes([len(data) % MAX_SEGMENTS])
            body += data
        if edit.pieces.get(0, b"") is None:
            flags &= ~CONTINUED
    if len(lacing) > MAX_SEGMENTS:
        raise ArchiveError("a page of it has no room for the silence")
    granule = page.granule if any(value < MAX_SEGMENTS for value in lacing) or flags & LAST else NO_GRANULE
    return write_page(
        flags=flags,
        granule=granule,
        serial=page.serial,
        sequence=page.sequence + shift,
        lacing=lacing,
        body=body,
    )
