"""From a live source into its ring: waits until enough is there, corrects the drift, drops what is too much."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from streamer.engine.rings import ENGINE_RATE_HZ, SourceRing
from streamer.engine.sources.drift import DriftCorrector, FillController, Frames
from streamer.engine.sources.live_clock import LiveClock

# Servers send what they have kept at once when one connects: how long after the first samples that is over.
SETTLE_S: Final = 0.3
_GROWTH: Final = 2.0
_PATIENCE: Final = (
    2.0  # what is held sounds at the latest after so many times the delay, however little it is
)
_ROOM_FRAMES: Final = ENGINE_RATE_HZ // 5  # two blocks
_RELAXED: Final = 0.75  # of the ring: below it is not full any more
# A server may be made to wait for a while, as long as the graph is started anew; then the delay is brought back.
MAX_FULL_S: Final = 15.0
# What fills the ring sooner than this is no clock that is wrong, but a file whose server does not say so.
_FILE_S: Final = 60.0


@dataclass
class LiveCounts:
    """What happened to the samples of a source, since it was added."""

    rebuffers: int = 0
    """How often it ran dry and was silent until enough was there again."""
    dropped_frames: int = 0
    """Frames thrown away because the ring was full: its clock is too fast to be corrected, or the graph stood still."""
    inserted_frames: int = 0
    """Frames of silence that were played because too little was there."""

    def as_dict(self) -> dict[str, int]:
        """For metrics."""
        return asdict(self)


class LiveWriter:
    """Feeds a ring from a source that gives what it likes, when it likes. For one thread; one for each start.

    At first, and after it ran dry, blocks are held back until ``target_frames`` are there: that is the delay of the
    source. Then the drift correction keeps as much waiting. Each time that it runs dry it holds back twice as much,
    up to half the ring: a source whose bytes come in bursts finds its own delay.

    Args:
        ring: what is fed.
        clock: sets the anchors.
        controller: of the drift; kept through all starts of the source.
        target_frames: how much shall wait.
        counts: is counted on.
        can_wait: whether what comes can be left where it is for a while, as in a network; a sound card cannot.
        monotonic: the clock, s.
    """

    def __init__(
        self,
        ring: SourceRing,
        clock: LiveClock,
        controller: FillController,
        *,
        target_frames: int,
        counts: LiveCounts,
        can_wait: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ring, self._clock, self._controller, self._counts = ring, clock, controller, counts
        self._can_wait, self._monotonic = can_wait, monotonic
        self._corrector = DriftCorrector(ring.channels, controller)
        self._held: list[Frames] = []
        self._held_frames = 0
        self._held_since_s: float | None = None
        self._last_s = 0.0
        self._most_frames = ring.capacity_frames // 2
        self._underflow_frames = ring.underflow_frames
        self._begun = False
        self._dropping = False
        self._begun_s = monotonic()
        self._full_since_s: float | None = None
        self._is_file = False
        controller.target_frames = min(target_frames, self._most_frames)
        controller.settle()
        ring.finish()  # what waits of the start before is played out

    @property
    def is_sounding(self) -> bool:
        """Whether what is written is played; else it is held back."""
        return self._ring.playing

    @property
    def sounding_s(self) -> float:
        """How long it will go on sounding if nothing comes any more, s."""
        return self._ring.waiting_frames / ENGINE_RATE_HZ if self._ring.playing else 0.0

    def write(self, block: Frames) -> None:
        """Take a block, float32 ``[frames, channels]``; returns at once."""
        if not self.check():
            self._hold(self._corrector.correct(block, self._controller.target_frames))
            self.check()
            return
        corrected = self._corrector.correct(block, self._ring.waiting_frames)
        if self._is_dropping():
            self._drop(len(corrected))
            return
        written = self._ring.write(corrected)
        if written < len(corrected):
            self._dropping = True
            self._drop(len(corrected) - written)
            return
        self._clock.follow()

    def may_write(self) -> bool:
        """Whether a block may be written now; else take none from the source, and ask again a little later."""
        if self._ring.waiting_frames < _RELAXED * self._ring.capacity_frames:
            self._full_since_s = None
        if not self._can_wait or self._dropping or self._ring.room() >= _ROOM_FRAMES:
            return True
        now_s = self._monotonic()
        if self._full_since_s is None:
            self._full_since_s = now_s
            self._is_file = now_s - self._begun_s < _FILE_S
        if self._is_file or now_s - self._full_since_s < MAX_FULL_S:
            return False
        self._dropping = True
        return True

    def check(self) -> bool:
        """To be called now and then, whether something came or not. Whether it sounds.

        After it ran dry it is held back from now on; what is held is let go when it is time.
        """
        if self._ring.playing and self._ring.underflow_frames != self._underflow_frames:
            self._begin_hold()
        if not self._ring.playing and self._held_since_s is not None and self._may_sound():
            self._end_hold()
        return self._ring.playing

    def flush(self) -> None:
        """Nothing more comes: let go of what is held."""
        if self._held:
            self._end_hold()

    def _begin_hold(self) -> None:
        underflow_frames = self._ring.underflow_frames
        self._counts.inserted_frames += underflow_frames - self._underflow_frames
        self._counts.rebuffers += 1
        self._underflow_frames = underflow_frames
        self._ring.finish()  # less than a cycle is left
        self._controller.target_frames = min(
            round(self._controller.target_frames * _GROWTH), self._most_frames
        )
        self._dropping = False

    def _hold(self, block: Frames) -> None:
        if len(block):
            self._last_s = self._monotonic()
            if self._held_since_s is None:
                self._held_since_s = self._last_s
            self._held.append(block)
            self._held_frames += len(block)

    def _may_sound(self) -> bool:
        assert self._held_since_s is not None  # noqa: S101 - something is held
        # Less than a cycle may still wait in the ring; it is played first.
        waiting = self._held_frames + self._ring.waiting_frames
        held_s = self._monotonic() - self._held_since_s
        if waiting >= self._most_frames:
            return True
        if not self._begun and held_s < SETTLE_S:
            return False
        target_frames = self._controller.target_frames
        return waiting >= target_frames or held_s >= _PATIENCE * target_frames / ENGINE_RATE_HZ

    def _end_hold(self) -> None:
        if self._begun:
            self._clock.resume(self._held_frames, self._last_s)
        else:
            self._clock.begin(self._held_frames, self._last_s)
            self._begun, self._begun_s = True, self._monotonic()
        held = np.concatenate(self._held)
        self._held, self._held_frames, self._held_since_s = [], 0, None
        self._drop(len(held) - self._ring.write(held))
        self._controller.settle()
        self._underflow_frames = self._ring.underflow_frames
        self._ring.playing = True

    def _is_dropping(self) -> bool:
        """Once the ring was full, all is dropped until as much waits as shall, and then time jumps."""
        if self._dropping and self._ring.waiting_frames <= self._controller.target_frames:
            self._dropping = False
            self._full_since_s = None
            self._controller.settle()
            self._clock.resume(0, self._monotonic())
        return self._dropping

    def _drop(self, frames: int) -> None:
        if frames:
            self._counts.dropped_frames += frames
            self._ring.count_overflow(frames)
