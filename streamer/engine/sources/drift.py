"""A live source's clock and the graph's are never equal: resampling by a little keeps what waits between them steady.

The fill of the ring is controlled by a proportional-integral controller whose output is the ratio of a variable-rate
resampler (soxr). The integral part ends up as the difference of the two clocks (F. Adriaensen, "Using a DLL to filter
time", and "Controlling adaptive resampling", Linux Audio Conference 2005 and 2012).
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamer.engine.rings import ENGINE_RATE_HZ

Frames = NDArray[np.float32]

MAX_PPM: Final = (
    1000.0  # quartz clocks are off by 100 ppm at most; 1000 ppm are below 2 cents, which nobody hears
)
_PPM: Final = 1e-6
# Slow enough that the pitch does not follow the jitter of the network, fast enough for a clock that warms up.
_BANDWIDTH_RAD_S: Final = 0.002
_SMOOTHING_S: Final = 10.0
# Bursts (segments of HLS, pages of Ogg) are smoothed away twice, or they would be heard as vibrato.
_POLES: Final = 2
_SMALLEST_CHANGE_PPM: Final = 0.2


class FillController:
    """From how much waits in the ring to how much faster or slower it shall be emptied.

    Args:
        target_frames: how much shall wait.
        rate_hz: of the frames.
    """

    def __init__(self, target_frames: int, *, rate_hz: int = ENGINE_RATE_HZ) -> None:
        self.target_frames = target_frames
        self._rate_hz = rate_hz
        self._smoothed_s = [0.0] * _POLES
        self.clock_ppm = 0.0
        """How much faster the source's clock is than the graph's, as learnt so far."""
        self.ppm = 0.0
        """The correction now, in [-MAX_PPM, MAX_PPM]: positive gives fewer frames than come."""

    def settle(self) -> None:
        """The fill was set anew (start, drop): forget its past, but not the clock."""
        self._smoothed_s = [0.0] * _POLES
        self.ppm = self.clock_ppm

    def update(self, fill_frames: int, elapsed_s: float) -> float:
        """The correction, ppm, after ``elapsed_s`` more in which the fill was ``fill_frames``."""
        error_s = (fill_frames - self.target_frames) / self._rate_hz
        keep = math.exp(-elapsed_s / _SMOOTHING_S)
        for pole in range(_POLES):
            error_s = self._smoothed_s[pole] = keep * self._smoothed_s[pole] + (1.0 - keep) * error_s
        proportional = 2.0 * _BANDWIDTH_RAD_S * error_s / _PPM
        step = _BANDWIDTH_RAD_S**2 * error_s * elapsed_s / _PPM
        wanted = proportional + self.clock_ppm + step
        if (
            abs(wanted) <= MAX_PPM or step * wanted < 0
        ):  # else it is at its bound: nothing is learnt of the clock
            self.clock_ppm = _bounded(self.clock_ppm + step)
        self.ppm = _bounded(proportional + self.clock_ppm)
        return self.ppm


class DriftCorrector:
    """Resamples a source's blocks by the controller's ratio. For one thread.

    The delay is constant, 5 ms. Not for sources that wait for the ring (files, archive): they are sample-exact.

    Args:
        channels: of the blocks.
        controller: says how much; it may outlive the corrector, which is made anew with each start.
    """

    def __init__(self, channels: int, controller: FillController) -> None:
        import soxr  # type: ignore[import-untyped]

        self._controller = controller
        # The rates of the constructor are the largest ratio that will ever be set.
        highest = ENGINE_RATE_HZ * (1.0 + 1.1 * MAX_PPM * _PPM)
        self._resampler: Any = soxr.ResampleStream(
            highest, ENGINE_RATE_HZ, channels, dtype="float32", quality="HQ", vr=True
        )
        self._set_ppm = math.nan
        self._set(controller.ppm, slew_frames=0)
        self.input_frames = 0
        """Frames that came in."""
        self.output_frames = 0
        """Frames that went out."""

    def correct(self, block: Frames, fill_frames: int) -> Frames:
        """Resample ``block``, float32 ``[frames, channels]``, given that ``fill_frames`` wait in the ring."""
        ppm = self._controller.update(fill_frames, len(block) / ENGINE_RATE_HZ)
        if abs(ppm - self._set_ppm) >= _SMALLEST_CHANGE_PPM:
            self._set(ppm, slew_frames=len(block))
        corrected: Frames = self._resampler.resample_chunk(np.ascontiguousarray(block))
        self.input_frames += len(block)
        self.output_frames += len(corrected)
        return corrected

    def _set(self, ppm: float, *, slew_frames: int) -> None:
        self._resampler.set_io_ratio(1.0 + ppm * _PPM, 1.0, slew_frames)
        self._set_ppm = ppm


def _bounded(ppm: float) -> float:
    return min(max(ppm, -MAX_PPM), MAX_PPM)
