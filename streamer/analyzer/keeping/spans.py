"""Where a clip lies in a run, and which windows must be known before it may be kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streamer.analyzer.windows import Geometry, Run, WindowKey
from tidzam_platform.clips.recording_clips import CLIP_RATE_HZ

_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """Frames ``begin`` to before ``end`` of a run, counted as those of its windows."""

    begin: int
    end: int

    @property
    def frames(self) -> int:
        """How many."""
        return self.end - self.begin

    def start_utc_ns(self, run: Run) -> int:
        """UTC of the first sample, ns since 1970; samples are at 48 kHz."""
        first = self.begin * CLIP_RATE_HZ // run.geometry.rate_hz
        return run.anchor_utc_ns + first * _NS_PER_S // CLIP_RATE_HZ

    def from_frame(self, begin: int) -> Span:
        """As long, from ``begin`` on."""
        return Span(begin, begin + self.frames)

    def to_frame(self, end: int) -> Span:
        """As long, up to ``end``."""
        return Span(end - self.frames, end)


def window_span(key: WindowKey) -> Span:
    """The frames of a window."""
    return Span(key.start_frame, key.start_frame + key.run.geometry.window_frames)


def centred(key: WindowKey, length_s: float) -> Span:
    """``length_s`` with the window in the middle; at the beginning of a run later, so that it begins with it."""
    window = window_span(key)
    frames = round(length_s * key.run.geometry.rate_hz)
    begin = max(0, (window.begin + window.end - frames) // 2)
    return Span(begin, begin + frames)


def windows_in_and_beside(span: Span, geometry: Geometry) -> range:
    """Numbers on the grid (start frame / hop) of windows that share audio with ``span``, and of one beside each end."""
    first = (span.begin - geometry.window_frames) // geometry.hop_frames + 1
    last = -(-span.end // geometry.hop_frames) - 1
    return range(max(0, first - 1), last + 2)
