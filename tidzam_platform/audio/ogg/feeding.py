"""A run written as an Ogg stream of its own, for a decoder that reads from a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from tidzam_platform.audio.ogg.pages import (
    CONTINUED,
    MAX_SEGMENTS,
    NO_GRANULE,
    Page,
    PageReader,
    write_packet_pages,
    write_page,
)
from tidzam_platform.audio.ogg.runs import Link, Run


def stream_of_run(handle: BinaryIO, link: Link, run: Run) -> Iterator[bytes]:
    """Yield the pages of a valid stream that holds this run only, in pieces of at most 64 KiB.

    It begins at position 0 with the link's headers, less pre-skip, and never says that it ends, so that a decoder
    gives every sample and trims none. What a lost page leaves of packets at both ends is taken out.
    """
    sequence = 0
    for number, packet in enumerate(link.codec.decoder_headers()):
        for page in write_packet_pages(packet, first=number == 0, serial=link.serial, sequence=sequence):
            yield page
            sequence += 1
    begun = False
    held: Page | None = None  # one page late: the last one must not end within a packet
    for found in PageReader(handle, run.first_byte, run.end_byte):
        if found.serial != link.serial:
            continue
        if held is not None:
            yield _rewritten(
                held, run, sequence, drop_first=run.drop_continued and not begun, drop_open=False
            )
            sequence += 1
            begun = True
        held = found
    if held is not None:
        yield _rewritten(held, run, sequence, drop_first=run.drop_continued and not begun, drop_open=True)


def _rewritten(page: Page, run: Run, sequence: int, *, drop_first: bool, drop_open: bool) -> bytes:
    lacing, body, flags = page.lacing, page.body, page.flags & CONTINUED
    if drop_first:
        segments = _segments_of_first_packet(lacing)
        body = body[sum(lacing[:segments]) :]
        lacing = lacing[segments:]
        flags = 0
    if drop_open:
        segments = len(lacing.rstrip(bytes([MAX_SEGMENTS])))
        body = body[: sum(lacing[:segments])]
        lacing = lacing[:segments]
    ends = any(value < MAX_SEGMENTS for value in lacing)
    granule = (
        max(page.granule + run.granule_shift - run.start, 0) if ends and page.granule >= 0 else NO_GRANULE
    )
    return write_page(
        flags=flags, granule=granule, serial=page.serial, sequence=sequence, lacing=lacing, body=body
    )


def _segments_of_first_packet(lacing: bytes) -> int:
    for index, value in enumerate(lacing):
        if value < MAX_SEGMENTS:
            return index + 1
    return len(lacing)
