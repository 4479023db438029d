"""Which packets of an Ogg file hold a stretch of time, and what each page becomes without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from tidzam_platform.archive.erased_tag import Span
from tidzam_platform.audio.ogg.codecs import HEAD_BYTES
from tidzam_platform.audio.ogg.pages import PageReader
from tidzam_platform.audio.ogg.runs import Link, Run
from tidzam_platform.audio.ogg.timeline import Timeline
from tidzam_platform.erasing.silent_packets import Silencer

# A packet sounds a bit before or after its own time: where windows overlap, and because a packet of Opus may hold the
# one before it once more, for those who lost that (RFC 6716 section 2.1.7).
_REACH_S: Final = {"opus": 0.02, "vorbis": 0.2, "flac": 0.0}
_EDGE_S: Final = 1.0  # what is left of a packet beside a loss may be of this far away


@dataclass
class PageEdit:
    """What changes on a page.

    Attributes:
        pieces: by number of the piece on the page: its new bytes; None: it goes, its packet ends elsewhere.
    """

    pieces: dict[int, bytes | None] = field(default_factory=dict)


@dataclass
class _Piece:
    page_offset: int
    number: int
    data: bytes


@dataclass
class Edits:
    """What changes in a file.

    Attributes:
        pages: by offset.
        silenced: stretches of silence that come of it, in s.
    """

    pages: dict[int, PageEdit] = field(default_factory=dict)
    silenced: list[Span] = field(default_factory=list)


def plan_edits(
    handle: BinaryIO, timeline: Timeline, silencers: dict[int, Silencer], spans: Sequence[Span]
) -> Edits:
    """Find the packets that sound within ``spans``.

    Args:
        handle: the file.
        timeline: of it.
        silencers: by serial number of the link.
        spans: what is to be erased, in s of the file.
    """
    edits = Edits()
    for stretch in timeline.stretches:
        zero_s = stretch.start_s - stretch.skip_ticks / stretch.link.codec.rate_hz
        _plan_run(handle, stretch.link, stretch.run, zero_s, silencers[stretch.link.serial], spans, edits)
    return edits


def _plan_run(
    handle: BinaryIO,
    link: Link,
    run: Run,
    zero_s: float,
    silencer: Silencer,
    spans: Sequence[Span],
    edits: Edits,
) -> None:
    """One run, whose first tick lies at ``zero_s``."""
    codec = link.codec
    codec.restart()
    ticks_before = 0
    open_pieces: list[_Piece] = []
    is_first = True
    for page in PageReader(handle, run.first_byte, run.end_byte):
        if page.serial != link.serial:
            continue
        lengths, unfinished = page.packet_lengths()
        position = 0
        for number, length in enumerate(lengths):
            piece = _Piece(page.offset, number, page.body[position : position + length])
            position += length
            if is_first and number == 0 and run.drop_continued:  # the rest of a packet that is lost
                if _near(zero_s, spans):
                    _drop(edits, [piece])
                is_first = False
                continue
            is_first = False
            open_pieces.append(piece)
            if unfinished and number == len(lengths) - 1:
                break
            packet = b"".join(part.data for part in open_pieces)
            ticks = codec.ticks(packet[:HEAD_BYTES])
            begin_s = zero_s + ticks_before / codec.rate_hz
            end_s = zero_s + (ticks_before + ticks) / codec.rate_hz
            if _sounds_within(codec.name, begin_s, end_s, spans):
                _drop(edits, open_pieces)
                edits.pages[piece.page_offset].pieces[piece.number] = (
                    silencer.silent(packet, ticks) if ticks or codec.first_packet_is_silent else b""
                )
                edits.silenced.append((begin_s, end_s))
            ticks_before += ticks
            open_pieces = []
    if open_pieces and _near(zero_s + ticks_before / codec.rate_hz, spans):
        _drop(edits, open_pieces)


def _drop(edits: Edits, pieces: Sequence[_Piece]) -> None:
    for piece in pieces:
        edits.pages.setdefault(piece.page_offset, PageEdit()).pieces[piece.number] = None


def _sounds_within(codec: str, begin_s: float, end_s: float, spans: Sequence[Span]) -> bool:
    reach_s = _REACH_S[codec]
    back_s = max(reach_s, end_s - begin_s) if codec == "opus" else reach_s
    return any(begin_s - back_s < until_s and end_s + reach_s > from_s for from_s, until_s in spans)


def _near(moment_s: float, spans: Sequence[Span]) -> bool:
    return any(from_s - _EDGE_S < moment_s < until_s + _EDGE_S for from_s, until_s in spans)
