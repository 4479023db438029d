"""What was heard lately, kept in memory of known size: the audio before and around a detection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamer.analyzer.hearing.track import FRAME_BYTES, Track, as_int16
from streamer.analyzer.windows import Run
from streamer.engine.rings import ENGINE_RATE_HZ
from tidzam_platform.audio.blocks import Samples
from tidzam_platform.channel_patterns import ChannelPatterns
from tidzam_platform.errors import RuleError
from tidzam_platform.names import channel as channel_name

LINGER_S: Final = 120.0
"""How long a channel that is gone is still known: what was heard in it may be asked for until then."""
YIELD_S: Final = 10.0
"""After so long it gives its memory to channels that have none: its last clips have been cut, if nothing held them up,
and a source that was only restarted has come back."""


class AudioHistory:
    """The last seconds of each channel, int16 at 48 kHz. Any thread may use it.

    It keeps the samples of the sources one after the other as they were heard: silence that the engine put in is not
    among them. Nothing is kept until it is told how much; then a channel takes 96 kB a second from when it is first
    heard. Where the memory does not do for all, who was there first has it; what a channel leaves goes to the others.

    Args:
        most_bytes: the most memory that it may take.
        monotonic: seconds.
    """

    def __init__(self, most_bytes: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.most_bytes = most_bytes
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._wanted: list[tuple[ChannelPatterns, int]] = []  # frames of the channels that are described
        self._by_pattern: dict[str, float] = {}
        self._tracks: dict[str, Track] = {}
        self._frames_of: dict[str, int] = {}  # of each channel that is heard: how many it shall keep
        self._gone_s: dict[str, float] = {}  # since when
        self._without_room: set[str] = set()
        self._share_again_s = float("inf")  # when memory of channels that have gone may be had

    @property
    def memory_bytes(self) -> int:
        """The memory that samples take now."""
        with self._lock:
            return self._taken()

    def keep(self, seconds_of: Mapping[str, float]) -> None:
        """Keep so many seconds of the channels that each pattern describes, the most where several do; nothing else.

        What was kept already stays, as far as there is place.

        Raises:
            RuleError: the channels that are heard now would take more memory than there is; nothing was changed.
        """
        by_pattern = {pattern: seconds for pattern, seconds in seconds_of.items() if seconds > 0}
        wanted = [
            (ChannelPatterns([pattern]), round(seconds * ENGINE_RATE_HZ))
            for pattern, seconds in by_pattern.items()
        ]
        with self._lock:
            self._forget_gone()
            frames_of = {name: _most_frames(wanted, name) for name in self._frames_of}
            needed = sum(self._frames_to_have(frames_of)) * FRAME_BYTES
            if needed > self.most_bytes:
                raise RuleError(
                    f"{needed / 1e6:.0f} MB of audio would be kept in memory, {self.most_bytes / 1e6:.0f} MB are "
                    "allowed: name fewer channels, shorter clips, or raise clips.preroll_mb"
                )
            self._wanted, self._by_pattern, self._frames_of = wanted, by_pattern, frames_of
            self._fit()

    def keep_s(self, channel_pattern: str, seconds: float) -> None:
        """``keep`` so much of these channels, others as before; 0 forgets the pattern. RuleError as there."""
        self.keep({**self._by_pattern, channel_pattern: seconds})

    def set_seconds(self, seconds: float) -> None:
        """``keep`` so much of every channel. RuleError as there."""
        self.keep({"*": seconds})

    def append(
        self, source: str, numbers: Iterable[int], anchor_utc_ns: int, frame: int, samples: Samples
    ) -> None:
        """Keep what was heard.

        Args:
            source: its name.
            numbers: of its channels, for each row of ``samples``.
            anchor_utc_ns: UTC of frame 0 of the run, ns since 1970.
            frame: of the first sample, at 48 kHz.
            samples: float32 ``[channels, frames]`` in [-1, 1].
        """
        with self._lock:
            tracks = [self._track_of(channel_name(source, number)) for number in numbers]
        if any(track is not None for track in tracks):
            converted = as_int16(samples)
            with self._lock:
                for track, row in zip(tracks, converted, strict=True):
                    if track is not None:
                        track.append(anchor_utc_ns, frame, row)

    def leave(self, source: str, numbers: Iterable[int]) -> None:
        """These channels have gone: their memory is shared anew, if others want it, after ``YIELD_S``."""
        with self._lock:
            for number in numbers:
                name = channel_name(source, number)
                if name in self._frames_of:
                    self._gone_s[name] = self._monotonic()
            self._fit()

    def audio(self, run: Run, number: int, start_frame: int, end_frame: int) -> NDArray[np.int16] | None:
        """What was heard of a channel.

        Args:
            run: which run.
            number: of the channel, from 1.
            start_frame: the first frame, counted as those of the run's windows.
            end_frame: the frame after the last one, counted alike.

        Returns:
            int16 ``[frames]`` at 48 kHz; None where not all of it is there: not heard yet, too long ago, or not
            without a gap.
        """
        start, end = _at_engine_rate(run, start_frame), _at_engine_rate(run, end_frame)
        with self._lock:
            track = self._tracks.get(channel_name(run.source, number))
            return None if track is None else track.cut(run.anchor_utc_ns, start, end)

    def span(self, run: Run, number: int, frame: int) -> tuple[int, int] | None:
        """From where to where audio around ``frame`` of a run is there without a gap; None if there is none.

        Frames count as those of the run's windows; the second is the one after the last.
        """
        with self._lock:
            track = self._tracks.get(channel_name(run.source, number))
            found = track and track.span(run.anchor_utc_ns, _at_engine_rate(run, frame))
        if not found:
            return None
        rate_hz = run.geometry.rate_hz
        return -(-found[0] * rate_hz // ENGINE_RATE_HZ), found[1] * rate_hz // ENGINE_RATE_HZ

    def counts(self) -> dict[str, Any]:
        """For metrics."""
        with self._lock:
            return {
                "memory_bytes": self._taken(),
                "most_bytes": self.most_bytes,
                "channels": len(self._tracks),
                "channels_without_room": len(self._without_room),
            }

    def _track_of(self, name: str) -> Track | None:
        """Where the samples of a channel go, None if they are not kept."""
        has_come = self._gone_s.pop(name, None) is not None and name not in self._tracks
        if name not in self._frames_of:
            self._frames_of[name] = _most_frames(self._wanted, name)
            has_come = True
        if has_come or (self._without_room and self._monotonic() >= self._share_again_s):
            self._fit()
        return self._tracks.get(name)

    def _fit(self) -> None:
        """Give each channel what it shall have; who was there first has it first."""
        self._forget_gone()
        self._tracks = {name: track for name, track in self._tracks.items() if self._frames_of.get(name, 0)}
        self._without_room = set()
        self._give_up_gone()
        for shrink in (True, False):  # what becomes shorter makes room for what becomes longer
            for name, frames in self._frames_of.items():
                track = self._tracks.get(name)
                if not frames or (track is not None and track.capacity == frames):
                    continue
                if name in self._gone_s and (track is None or not shrink):  # it hears no more
                    continue
                if shrink:
                    if track is not None and track.capacity > frames:
                        track.resize(frames)
                elif (
                    self._taken() + (frames - (track.capacity if track else 0)) * FRAME_BYTES
                    > self.most_bytes
                ):
                    self._without_room.add(name)
                elif track is not None:
                    track.resize(frames)
                else:
                    self._tracks[name] = Track(frames)

    def _give_up_gone(self) -> None:
        """Take the memory of channels that have gone, the first first, for those that are there and have too little."""
        wanted = sum(self._frames_to_have(self._frames_of)) * FRAME_BYTES
        now_s = self._monotonic()
        for name, since_s in sorted(self._gone_s.items(), key=lambda one: one[1]):
            if wanted + self._taken_by_gone() <= self.most_bytes:
                break
            if now_s - since_s >= YIELD_S:
                self._tracks.pop(name, None)
        waits_s = [since_s + YIELD_S for name, since_s in self._gone_s.items() if name in self._tracks]
        self._share_again_s = min(waits_s, default=float("inf"))

    def _frames_to_have(self, frames_of: Mapping[str, int]) -> list[int]:
        """Of the channels that are there."""
        return [frames for name, frames in frames_of.items() if name not in self._gone_s]

    def _taken_by_gone(self) -> int:
        return sum(self._tracks[name].capacity for name in self._gone_s if name in self._tracks) * FRAME_BYTES

    def _forget_gone(self) -> None:
        now_s = self._monotonic()
        for name in [name for name, since_s in self._gone_s.items() if now_s - since_s > LINGER_S]:
            del self._gone_s[name], self._frames_of[name]
            self._tracks.pop(name, None)
            self._without_room.discard(name)

    def _taken(self) -> int:
        return sum(track.capacity for track in self._tracks.values()) * FRAME_BYTES


def _most_frames(wanted: list[tuple[ChannelPatterns, int]], name: str) -> int:
    return max((frames for patterns, frames in wanted if patterns.match(name)), default=0)


def _at_engine_rate(run: Run, frame: int) -> int:
    return frame * ENGINE_RATE_HZ // run.geometry.rate_hz
