"""Smoothing of scores over time, before the decision."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from tidzam_platform.errors import SettingsError


class RunningMean:
    """Mean of the scores of one channel's last windows; takes windows in order of time, one at a time.

    Each mean is computed anew from the windows that are kept, so that it depends on them alone: after a gap, and from
    the ``length``-th window on, live and archive give the same bits, wherever they began. A gap, or any other step
    than a hop, starts afresh: what was before it says nothing about now. Memory is bounded by ``length`` windows.

    The original Tidzam averaged each window with the one before: ``length=2``.
    """

    def __init__(self, length: int, hop_frames: int) -> None:
        """``length`` counts windows, 1 smooths nothing; SettingsError if a value is below 1."""
        if length < 1 or hop_frames < 1:
            raise SettingsError(
                f"smoothing over {length} windows, {hop_frames} frames apart: both must be at least 1"
            )
        self._hop_frames = hop_frames
        self._kept: deque[npt.NDArray[np.float32]] = deque(maxlen=length)
        self._last_frame: int | None = None

    @property
    def delay_frames(self) -> int:
        """How far the middle of a full mean lies behind its newest window."""
        return ((self._kept.maxlen or 1) - 1) * self._hop_frames // 2

    def push(self, start_frame: int, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Smoothed scores of the window at ``start_frame``; float32 ``[classes]`` in and out."""
        if self._kept.maxlen == 1:
            return np.array(scores, np.float32)
        if self._last_frame is not None and start_frame != self._last_frame + self._hop_frames:
            self._kept.clear()
        self._last_frame = start_frame
        self._kept.append(np.array(scores, np.float32))
        return np.asarray(np.mean(np.stack(self._kept), axis=0, dtype=np.float64), np.float32)
