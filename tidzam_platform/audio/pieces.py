"""Pieces of a decoded file: what a child process decodes, and the silence that stands for what is lost."""

from __future__ import annotations

from typing import Final, Protocol

from tidzam_platform.audio.blocks import Samples, valid_samples
from tidzam_platform.audio.ffmpeg import Child
from tidzam_platform.errors import DecodingError

_DISCARD_BYTES: Final = 1 << 16


class Piece(Protocol):
    """Gives interleaved frames, in order."""

    def read_into(self, frames: Samples) -> int:
        """Fill float32 ``[frames, channels]``; returns how many frames were filled, fewer only at the end."""


class Silence:
    """So many frames of zeros."""

    def __init__(self, frames: int) -> None:
        self._left = frames

    def read_into(self, frames: Samples) -> int:
        """See :class:`Piece`."""
        count = min(self._left, len(frames))
        frames[:count] = 0
        self._left -= count
        return count


class Decoded:
    """What a child process writes: exactly so many frames, or all there are."""

    def __init__(
        self, child: Child, frames: int | None, *, spare_frames: int = 0, is_last: bool = True
    ) -> None:
        """Read from ``child``.

        Args:
            child: writes interleaved float32.
            frames: so many; what comes beyond is dropped. None takes what comes.
            spare_frames: so many may be wanting at the end, as resamplers and encoders' paddings make it; they
                become zeros. More than that means that time has slid somewhere before.
            is_last: no other piece reads from ``child`` after this one.
        """
        self._child = child
        self._spare = spare_frames
        self._left = frames
        self._is_last = is_last
        self._ended = False

    def read_into(self, frames: Samples) -> int:
        """See :class:`Piece`; raises DecodingError when the child fails."""
        if self._left is not None:
            frames = frames[: self._left]
        filled = 0
        if len(frames) and not self._ended:
            frame_bytes = frames.shape[1] * frames.itemsize
            filled = self._child.read_into(memoryview(frames.data).cast("B")) // frame_bytes
            self._ended = filled < len(frames)
            decoded = frames[:filled]
            valid = valid_samples(decoded)
            if valid is not decoded:
                decoded[:] = valid
        if self._left is not None:
            self._fill(frames, filled)
            filled = len(frames)
            self._left -= filled
        if self._is_last and (self._ended or self._left == 0):
            self._finish()
        return filled

    def _fill(self, frames: Samples, filled: int) -> None:
        """Put zeros where the child ended too early."""
        frames[filled:] = 0
        self._spare -= len(frames) - filled
        if self._spare < 0:
            complaint = self._child.complaint
            raise DecodingError(
                f"less could be decoded than the file's positions say: {complaint or 'no reason given'}"
            )

    def _finish(self) -> None:
        """Learn whether the child did well; what it may still write is not wanted."""
        self._ended = True
        self._is_last = False
        rest = memoryview(bytearray(_DISCARD_BYTES))
        while self._child.read_into(rest):
            pass
        self._child.finish()
