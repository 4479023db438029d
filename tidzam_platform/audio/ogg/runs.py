"""Runs: the stretches of a file that decode without a loss, and where they lie in time."""

from __future__ import annotations

from dataclasses import dataclass

from tidzam_platform.audio.ogg.codecs import StreamCodec


@dataclass(slots=True)
class Run:
    """Pages of one stream between two losses. Positions are granule positions, a set-back clock evened out.

    Attributes:
        first_byte: where its first page begins.
        end_byte: where its last page ends.
        start: position of the first tick that a decoder beginning here gives.
        end: position after the last tick that counts; the decoder may give more.
        granule_shift: to add to granules as written to get these positions.
        drop_continued: the first page begins with the rest of a lost packet.
    """

    first_byte: int
    end_byte: int
    start: int
    end: int
    granule_shift: int
    drop_continued: bool


@dataclass(frozen=True, slots=True)
class Link:
    """One stream from its first page to its last; a file may chain several.

    Attributes:
        serial: of its pages.
        codec: read from its headers.
        runs: in order of time; they may overlap, then the later one gives way.
        origin: the position that is time 0 of the link.
        unsure: it lacks its end mark, or its clock was set: how much is missing cannot be known.
    """

    serial: int
    codec: StreamCodec
    runs: tuple[Run, ...]
    origin: int
    unsure: bool

    @property
    def end(self) -> int:
        """The position after the last tick of audio."""
        return max((run.end for run in self.runs), default=self.origin)
