"""Cutting windows out of a stream of blocks, on a grid that holds whatever the blocks' size and holes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tidzam_platform.audio.blocks import Block, Samples


@dataclass(frozen=True)
class Window:
    """What a classifier looks at.

    Attributes:
        start_frame: frame number of the first column, a multiple of the hop.
        samples: float32 ``[channels, window_frames]`` in [-1, 1], owned by the window.
    """

    start_frame: int
    samples: Samples


class _Tail:
    """The frames that later windows still need: a contiguous stretch ``[start, end)``."""

    def __init__(self, start: int) -> None:
        self.start = self.end = start
        self._parts: list[Samples] = []

    def append(self, samples: Samples) -> None:
        self._parts.append(samples)
        self.end += samples.shape[1]

    def cut(self, start: int, end: int) -> Samples:
        self._merge()
        return self._parts[0][:, start - self.start : end - self.start]

    def forget_before(self, frame: int) -> None:
        frame = min(frame, self.end)
        if frame <= self.start:
            return
        self._merge()
        # A copy: a view would keep all that came before in memory.
        self._parts = [self._parts[0][:, frame - self.start :].copy()]
        self.start = frame

    def _merge(self) -> None:
        if len(self._parts) != 1:
            self._parts = [np.concatenate(self._parts, axis=1)]


class Holes:
    """Answers whether a stretch touches a hole; stretches must be asked in order."""

    def __init__(self, holes: Sequence[tuple[int, int]]) -> None:
        """Args: half-open ranges of frames, as from :func:`tidzam_platform.audio.holes_in_frames`."""
        self._holes = sorted((start, end) for start, end in holes if end > start)
        self._next = 0

    def touch(self, start: int, end: int) -> bool:
        """Whether audio is missing in ``[start, end)``."""
        while self._next < len(self._holes) and self._holes[self._next][1] <= start:
            self._next += 1
        return self._next < len(self._holes) and self._holes[self._next][0] < end


def cut_windows(
    blocks: Iterable[Block], *, window_frames: int, hop_frames: int, holes: Sequence[tuple[int, int]] = ()
) -> Iterator[Window]:
    """Cut windows that start at the multiples of ``hop_frames``.

    Left out are windows that touch a hole and the partial one at the end; but audio that is altogether shorter than
    one window gives one, padded with zeros at its end. Memory is bounded by a window, a hop and a block.

    Args:
        blocks: in order of time; frames that lie between two blocks count as a hole.
        window_frames: length of a window, at least 1.
        hop_frames: from the start of one window to the start of the next, at least 1; may exceed the window.
        holes: half-open ranges of frames, as from :func:`tidzam_platform.audio.holes_in_frames`.

    Raises:
        ValueError: a length is below 1, blocks overlap, or their number of channels changes.
    """
    if window_frames < 1 or hop_frames < 1:
        raise ValueError(f"windows of {window_frames} frames every {hop_frames}: both must be at least 1")
    missing = Holes(holes)
    tail: _Tail | None = None
    following = first_frame = 0
    channels = None
    windows = 0
    whole = True
    for block in blocks:
        if channels is None:
            channels, first_frame = block.samples.shape[0], block.start_frame
        if block.samples.shape[0] != channels:
            raise ValueError(
                f"block at frame {block.start_frame} has {block.samples.shape[0]} channels, not {channels}"
            )
        if tail is not None and block.start_frame < tail.end:
            raise ValueError(
                f"block at frame {block.start_frame} begins before the one before it ends ({tail.end})"
            )
        if tail is None or block.start_frame > tail.end:
            whole = tail is None
            tail = _Tail(block.start_frame)
            following = max(following, -(-block.start_frame // hop_frames) * hop_frames)
        tail.append(block.samples)
        while following + window_frames <= tail.end:
            if not missing.touch(following, following + window_frames):
                yield Window(following, tail.cut(following, following + window_frames).copy())
            windows += 1
            following += hop_frames
        # Not at every block: what is kept is copied, so that a copy must pay.
        if min(following, tail.end) - tail.start >= window_frames:
            tail.forget_before(following)
    if tail is None or channels is None or windows or not whole or first_frame % hop_frames:
        return
    frames = tail.end - first_frame
    if 0 < frames < window_frames and not missing.touch(first_frame, tail.end):
        padded = np.zeros((channels, window_frames), np.float32)
        padded[:, :frames] = tail.cut(first_frame, tail.end)
        yield Window(first_frame, padded)
