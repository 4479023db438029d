"""Clips that are chosen and wait: for the audio after their window, and for the word that all of it may be kept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.analyzer.keeping.heard_windows import HeardWindows, Verdict
from streamer.analyzer.keeping.selection import Chosen
from streamer.analyzer.keeping.spans import Span, centred, window_span
from streamer.analyzer.windows import Run

AUDIO_PATIENCE_S: Final = 3.0  # after the moment at which its last sample should have come
VERDICT_PATIENCE_S: Final = 120.0  # the model server may be away meanwhile, and answer afterwards
MAX_WAITING: Final = 2048
MAX_HELD_BYTES: Final = 64 << 20  # of audio that waits for a verdict

FORBIDDEN: Final = "forbidden"
UNHEARD: Final = "unheard"
NO_AUDIO: Final = "no_audio"
FAULT: Final = "fault"
_LOG = logging.getLogger(__name__)


class AudioSource(Protocol):
    """Where the audio of the last seconds is: ``streamer.analyzer.hearing.history.AudioHistory``."""

    def audio(self, run: Run, number: int, start_frame: int, end_frame: int) -> NDArray[np.int16] | None:
        """Int16 ``[frames]`` at 48 kHz, given frames of the run's geometry; None where not all of it is there."""

    def span(self, run: Run, number: int, frame: int) -> tuple[int, int] | None:
        """From where to where audio around ``frame`` is there; None if there is none."""


@dataclass
class _Waiting:
    """One clip. Times are ``time.monotonic()``."""

    chosen: Chosen
    span: Span
    ready_s: float
    is_guarded: bool  # some rule forbids: all its windows must be known
    samples: NDArray[np.int16] | None = None


@dataclass(frozen=True)
class Settled:
    """A clip that waits no more: its audio (int16 ``[frames]`` at 48 kHz), or why it is not kept."""

    chosen: Chosen
    span: Span
    samples: NDArray[np.int16] | None
    reason: str = ""


class WaitingClips:
    """For one thread.

    Args:
        history: of the audio.
        heard: which windows may be kept.
    """

    def __init__(self, history: AudioSource, heard: HeardWindows) -> None:
        self._history, self._heard = history, heard
        self._waiting: list[_Waiting] = []
        self.held_bytes = 0  # of audio that waits for a verdict

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, chosen: Chosen, now_s: float, *, is_guarded: bool) -> bool:
        """Wait for the audio of a clip; False if too many wait."""
        if len(self._waiting) >= MAX_WAITING:
            return False
        key = chosen.result.key
        span = centred(key, chosen.spec.length_s)
        later_s = max(0.0, (span.end - window_span(key).end) / key.run.geometry.rate_hz)
        # A window that waited on disk may have ended before this process began: by another clock.
        ended_s = min(max(key.ended_s, now_s - later_s), now_s)
        self._waiting.append(_Waiting(chosen, span, ended_s + later_s, is_guarded))
        return True

    def settled(self, now_s: float) -> list[Settled]:
        """Those that wait no more."""
        left, settled = [], []
        for clip in self._waiting:
            try:
                found = self._look(clip, now_s)
            except Exception:  # noqa: BLE001 - the others wait behind it
                _LOG.exception("a clip of %s is given up after a fault", clip.chosen.result.key.channel)
                found = Settled(clip.chosen, clip.span, None, FAULT)
            if found is None:
                left.append(clip)
                continue
            settled.append(found)
            if clip.samples is not None:
                self.held_bytes -= clip.samples.nbytes
        self._waiting = left
        return settled

    def guard(self, is_guarded: Callable[[str], bool]) -> None:
        """What must not be kept is another thing now: clips that wait are judged by windows heard from now on.

        ``is_guarded`` says of a channel whether some rule forbids.
        """
        for clip in self._waiting:
            clip.is_guarded = is_guarded(clip.chosen.result.key.channel)

    def give_up_all(self) -> list[Chosen]:
        """At the end: what still waits."""
        waiting, self._waiting, self.held_bytes = self._waiting, [], 0
        return [clip.chosen for clip in waiting]

    def _look(self, clip: _Waiting, now_s: float) -> Settled | None:
        if now_s < clip.ready_s:
            return None
        if clip.samples is None:
            reason = self._take_audio(clip, now_s)
            if reason is not None:
                return Settled(clip.chosen, clip.span, None, reason) if reason else None
        key = clip.chosen.result.key
        verdict = self._heard.verdict(key.run, key.number, clip.span) if clip.is_guarded else Verdict.CLEAR
        if verdict is Verdict.CLEAR:
            return Settled(clip.chosen, clip.span, clip.samples)
        if verdict is Verdict.FORBIDDEN:
            return Settled(clip.chosen, clip.span, None, FORBIDDEN)
        if now_s > clip.ready_s + VERDICT_PATIENCE_S or self.held_bytes > MAX_HELD_BYTES:
            return Settled(clip.chosen, clip.span, None, UNHEARD)
        return None

    def _take_audio(self, clip: _Waiting, now_s: float) -> str | None:
        """Hold the clip's audio: None if that is done, why it is given up, or "" if it is not there yet."""
        key = clip.chosen.result.key
        samples = self._history.audio(key.run, key.number, clip.span.begin, clip.span.end)
        if samples is None:
            moved = self._moved(clip, now_s)
            if moved is None:
                return NO_AUDIO if now_s > clip.ready_s + AUDIO_PATIENCE_S else ""
            clip.span = moved
            samples = self._history.audio(key.run, key.number, moved.begin, moved.end)
            if samples is None:
                return ""
        clip.samples = samples
        self.held_bytes += samples.nbytes
        return None

    def _moved(self, clip: _Waiting, now_s: float) -> Span | None:
        """The clip as long as it is, later where the run was not heard before, earlier where it ended; None: wait."""
        key = clip.chosen.result.key
        window = window_span(key)
        there = self._history.span(key.run, key.number, (window.begin + window.end) // 2)
        if there is None:
            return None
        span = clip.span.from_frame(max(clip.span.begin, there[0]))
        late_s = (span.begin - clip.span.begin) / key.run.geometry.rate_hz
        if span.end > there[1]:
            clip.ready_s += late_s
            clip.span = span
            if late_s or now_s <= clip.ready_s + AUDIO_PATIENCE_S:
                return None
            span = span.to_frame(there[1])
        return span if span.begin >= there[0] else None
