"""What the engine of the bench noted while it played, as it goes over its socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from streamer.analyzer.benchmarks.jack_clock import Reading
from streamer.engine.rings import Segment, SegmentKind


@dataclass(frozen=True)
class PlayedSource:
    """A source.

    Attributes:
        channels: how many.
        segments: of its ring, all since it began, in order: which of its frames sounded at which frame of JACK.
        played_frames: how many sounded; its anchor is frame 0.
    """

    channels: int
    segments: tuple[Segment, ...]
    played_frames: int


@dataclass(frozen=True)
class Report:
    """All of it.

    Attributes:
        readings: JACK's clock beside ``time.monotonic()``.
        sources: by name.
        anchor_utc_ns: UTC of frame 0 of every source, ns since 1970.
        cycle_frames: frames that JACK computes at a time.
        xruns: cycles that came too late.
        missed_frames: frames of time that the graph did not compute.
        underflow_frames: silence for want of samples, of all sources.
    """

    readings: tuple[Reading, ...]
    sources: Mapping[str, PlayedSource]
    anchor_utc_ns: int
    cycle_frames: int
    xruns: int
    missed_frames: int
    underflow_frames: int

    @classmethod
    def of_answer(cls, answer: Mapping[str, Any]) -> Self:
        """From what the engine answers to ``bench.report``."""
        return cls(
            tuple(Reading(*reading) for reading in answer["clock"]),
            {
                name: PlayedSource(
                    source["channels"],
                    tuple(Segment(jack, own, SegmentKind(kind)) for jack, own, kind in source["segments"]),
                    source["played_frames"],
                )
                for name, source in answer["sources"].items()
            },
            answer["anchor_utc_ns"],
            answer["cycle_frames"],
            answer["xruns"],
            answer["missed_frames"],
            answer["underflow_frames"],
        )
