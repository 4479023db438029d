"""The time axis of an Ogg file: all its links and runs, and the holes between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from tidzam_platform.audio.limits import MAX_LOSSES
from tidzam_platform.audio.ogg.codecs import foreign_name, stream_codec
from tidzam_platform.audio.ogg.link_reader import LinkReader
from tidzam_platform.audio.ogg.pages import FIRST, Page, PageReader
from tidzam_platform.audio.ogg.runs import Link, Run
from tidzam_platform.errors import DecodingError, EmptyAudioError, UnknownAudioFormatError

_MAX_PIECES = 2 * MAX_LOSSES


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run on the time axis of the file.

    Attributes:
        link: the link it belongs to.
        run: the pages.
        start_s: where its audio begins in the file, s.
        end_s: where it ends.
        skip_ticks: decoded ticks, at the link's rate, that come before ``start_s`` and are not to be heard.
    """

    link: Link
    run: Run
    start_s: float
    end_s: float
    skip_ticks: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where audio is in an Ogg file.

    Attributes:
        codec: ffprobe's name of the first link's codec.
        rate_hz: its rate.
        channels: of all links.
        stretches: in order of time, none overlapping another.
        seconds: length of the time axis.
        truncated: the file ends within a page or without an end mark, or a stream of it does, or is without headers.
        tags: of the first link.
    """

    codec: str
    rate_hz: int
    channels: int
    stretches: tuple[Stretch, ...]
    seconds: float
    truncated: bool
    tags: dict[str, str]

    @property
    def holes(self) -> tuple[tuple[float, float], ...]:
        """What no stretch covers, as (start_s, end_s)."""
        edges = [(0.0, 0.0), *((stretch.start_s, stretch.end_s) for stretch in self.stretches)]
        return tuple((end_s, start_s) for (_, end_s), (start_s, _) in pairwise(edges) if start_s > end_s)


class _FileReader:
    """Tells links and streams apart."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.stray = False  # audio, maybe, of streams whose first page is lost
        self._announced: set[int] = set()
        self._foreign: list[str] = []
        self._reader: LinkReader | None = None
        self._announcing = False
        self._pieces = 0

    def add(self, page: Page) -> None:
        if page.flags & FIRST:
            self._announce(page)
            return
        self._announcing = False
        if page.after_damage and self._reader is not None:
            self._reader.note_damage()
        if self._reader is not None and page.serial == self._reader.serial:
            self._reader.add(page)
        elif page.serial not in self._announced:
            self.stray = True

    def _announce(self, page: Page) -> None:
        """All streams of a link begin with their first pages, before any other page (RFC 3533 section 4)."""
        if not self._announcing:
            self.close_link()
            self._announced.clear()
            self._announcing = True
        self._announced.add(page.serial)
        if self._reader is None:
            codec = stream_codec(page.body)
            if codec is None:
                self._foreign = [*self._foreign, foreign_name(page.body)][:3]
            else:
                self._reader = LinkReader(codec, page)

    def close_link(self) -> None:
        if self._reader is None:
            return
        reader, self._reader = self._reader, None
        if reader.has_packets and not reader.codec.is_ready():
            self.stray = True
            return
        self.links.append(reader.finish())
        self._pieces += 1 + len(self.links[-1].runs)
        if self._pieces > _MAX_PIECES:
            raise DecodingError(f"more than {_MAX_PIECES} losses and links: damaged beyond use")

    def refusal(self) -> Exception:
        """Why no link was found."""
        if self._foreign:
            return UnknownAudioFormatError(
                f"an Ogg file of {', '.join(self._foreign)}: only Opus, Vorbis and FLAC in Ogg are decoded"
            )
        return DecodingError("an Ogg file whose headers are lost: without them nothing of it can be decoded")


def read_timeline(handle: BinaryIO) -> Timeline:
    """Read all pages of a file once, in bounded memory.

    Raises:
        EmptyAudioError: headers, and no audio.
        UnknownAudioFormatError: no stream of it is Opus, Vorbis or FLAC.
        DecodingError: the headers are lost, the links differ in channels, or it is damaged beyond use.
    """
    pages = PageReader(handle)
    reader = _FileReader()
    for page in pages:
        reader.add(page)
    reader.close_link()
    if not reader.links:
        raise reader.refusal()
    links = [link for link in reader.links if link.runs and link.end > link.origin]
    if not links:
        raise EmptyAudioError("an Ogg file with headers and no audio")
    first = links[0].codec
    stretches: list[Stretch] = []
    offset_s = 0.0
    for link in links:
        if link.codec.channels != first.channels:
            raise DecodingError(
                f"an Ogg file that goes from {first.channels} to {link.codec.channels} channels "
                f"at {offset_s:.3f} s: split it there"
            )
        stretches.extend(_stretches(link, offset_s))
        offset_s = stretches[-1].end_s
    return Timeline(
        codec=first.name,
        rate_hz=first.rate_hz,
        channels=first.channels,
        stretches=tuple(stretches),
        seconds=offset_s,
        truncated=pages.cut or reader.stray or any(link.unsure for link in links),
        tags=dict(first.tags),
    )


def _stretches(link: Link, offset_s: float) -> list[Stretch]:
    stretches = []
    reached = link.origin
    for run in link.runs:
        start = max(run.start, reached)
        if run.end <= start:
            continue
        stretches.append(
            Stretch(
                link=link,
                run=run,
                start_s=offset_s + (start - link.origin) / link.codec.rate_hz,
                end_s=offset_s + (run.end - link.origin) / link.codec.rate_hz,
                skip_ticks=start - run.start,
            )
        )
        reached = run.end
    return stretches
