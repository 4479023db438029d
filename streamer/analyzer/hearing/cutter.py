"""Windows of one run, on its grid, as its samples come: ``tidzam_platform.audio.cut_windows`` for live audio."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from streamer.analyzer.windows import Run
from tidzam_platform.audio.blocks import Samples


class Cause(StrEnum):
    """Why samples of a run were not heard."""

    LOST = "lost"
    """The rings had overwritten them, or forgotten what they were, before the analyzer came to them."""
    MISSED = "missed"
    """The audio graph did not carry them to the rings: an xrun, or JACK was away."""
    SKIPPED = "skipped"
    """The source left them out itself."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A window of all channels of a group.

    Attributes:
        run: whose grid it lies on.
        start_frame: its first frame, a multiple of the hop.
        parts: what it is made of, in order: views, float32 ``[channels, frames]``. Where they are shorter than the
            window together, zeros follow.
    """

    run: Run
    start_frame: int
    parts: tuple[Samples, ...]

    def write(self, rows: NDArray[np.float32], first: int) -> None:
        """Write channels ``first`` and following into ``rows``, float32 ``[channels, window_frames]``."""
        filled = 0
        for part in self.parts:
            rows[:, filled : filled + part.shape[1]] = part[first : first + len(rows)]
            filled += part.shape[1]
        rows[:, filled:] = 0.0


class RunCutter:
    """Takes the frames of a run and cuts windows. Memory is bounded by a window, a hop and a block.

    Args:
        run: whose grid; frames count at its geometry's rate.
        first_frame: from which on it is heard; windows that begin before are not cut, and not counted as left out.
    """

    def __init__(self, run: Run, first_frame: int) -> None:
        self.run = run
        self._geometry = run.geometry
        hop = run.geometry.hop_frames
        self._following = -(-first_frame // hop) * hop  # start of the next window
        self._sound_from = first_frame  # from here on nothing is missing
        self._cause = Cause.SKIPPED  # of what is missing before
        self._blocks: deque[tuple[int, Samples]] = deque()
        self.end = first_frame
        """The frame after the last one that came."""
        self.left_out: Counter[Cause] = Counter()
        """Windows that were not cut, and why."""
        self._from_start = first_frame == 0
        self._decided = 0  # windows cut or left out

    @property
    def missing_frames(self) -> int:
        """How many more frames must come, at least one, until there is a window."""
        hop = self._geometry.hop_frames
        next_start = max(self._following, -(-self._sound_from // hop) * hop)
        return max(next_start + self._geometry.window_frames - self.end, 1)

    def append(self, frame: int, samples: Samples, cause: Cause) -> None:
        """Take the frames from ``frame`` on; ``cause`` is why those before are missing, if some are."""
        if frame > self.end:
            self._miss(frame, cause)
        if frame < self.end:  # nothing is heard twice
            samples = samples[:, self.end - frame :]
        if samples.shape[1]:
            self._blocks.append((self.end, samples))
            self.end += samples.shape[1]
            self._forget()

    def windows(self) -> Iterator[Cut]:
        """Those that have become whole; those that cannot any more are counted."""
        window, hop = self._geometry.window_frames, self._geometry.hop_frames
        while (end := self._following + window) <= self.end:
            if self._following >= self._sound_from:
                yield self._cut(end)
                count = 1
            else:
                # Up to where samples are whole again, or where the next window is not over yet.
                last = min(self._sound_from - 1, self.end - window)
                count = (last - self._following) // hop + 1
                self.left_out[self._cause] += count
            self._decided += count
            self._following += count * hop
            self._forget()

    def finish(self, end_frame: int | None, cause: Cause) -> Cut | None:
        """Nothing more comes. What was altogether shorter than a window gives one, padded with zeros.

        Args:
            end_frame: where the run ends; None where it was broken off, so that nothing more is left out.
            cause: why what is missing up to there did not come.
        """
        if end_frame is None:
            return None
        if end_frame > self.end:
            self._miss(end_frame, cause)
            for _ in self.windows():
                pass
        is_short = self._from_start and not self._decided and 0 < end_frame < self._geometry.window_frames
        if is_short and self._sound_from == 0:
            return self._cut(end_frame)
        if is_short:
            self.left_out[cause] += 1
        return None

    def keep_rows(self, rows: Sequence[int]) -> None:
        """The other channels have gone."""
        self._blocks = deque((frame, samples[list(rows)]) for frame, samples in self._blocks)

    def _cut(self, end: int) -> Cut:
        parts = []
        for frame, samples in self._blocks:
            begin = max(self._following - frame, 0)
            part = samples[:, begin : end - frame] if frame < end else samples[:, :0]
            if part.shape[1]:
                parts.append(part)
        return Cut(self.run, self._following, tuple(parts))

    def _miss(self, frame: int, cause: Cause) -> None:
        """The frames from the last one on up to ``frame`` do not come: no window touches them."""
        self._blocks.clear()
        self.end = self._sound_from = frame
        self._cause = cause

    def _forget(self) -> None:
        while self._blocks and self._blocks[0][0] + self._blocks[0][1].shape[1] <= self._following:
            self._blocks.popleft()
