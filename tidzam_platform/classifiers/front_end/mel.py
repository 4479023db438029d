"""Mel scales and their filter banks, the same numbers as librosa's, without the second that its import takes."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.front_end.parameters import FrontEnd, Scale

# Slaney's Auditory Toolbox (1998): linear to 1 kHz, logarithmic above.
_HZ_PER_MEL: Final = 200.0 / 3
_LOG_FROM_HZ: Final = 1000.0
_LOG_FROM_MEL: Final = _LOG_FROM_HZ / _HZ_PER_MEL
_LOG_STEP: Final = math.log(6.4) / 27.0
# HTK Book (Young 2006), 5.4.
_HTK_FACTOR: Final = 2595.0
_HTK_CORNER_HZ: Final = 700.0

Floats = npt.NDArray[np.float64]


def mel_edges_hz(front_end: FrontEnd) -> Floats:
    """Where the triangles begin, peak and end, ascending, ``[bands + 2]``: band k has edges k to k + 2."""
    scale = front_end.scale
    mels = np.linspace(
        _mel_of(front_end.low_hz, scale), _mel_of(front_end.high_hz, scale), front_end.bands + 2
    )
    if scale == "htk":
        return np.asarray(_HTK_CORNER_HZ * (10.0 ** (mels / _HTK_FACTOR) - 1.0), np.float64)
    hz = _HZ_PER_MEL * mels
    high = mels >= _LOG_FROM_MEL
    hz[high] = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mels[high] - _LOG_FROM_MEL))
    return hz


def mel_triangles(front_end: FrontEnd) -> npt.NDArray[np.float32]:
    """The filter bank, float32 ``[bands, bins]``; Slaney's bands have equal area, HTK's height 1."""
    edges = mel_edges_hz(front_end)
    bins_hz = np.fft.rfftfreq(front_end.fft_frames, 1.0 / front_end.rate_hz)
    slopes = np.subtract.outer(edges, bins_hz)
    widths = np.diff(edges)[:, np.newaxis]
    rising, falling = -slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]
    triangles: npt.NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    if front_end.scale == "slaney":
        triangles *= (2.0 / (edges[2:] - edges[:-2]))[:, np.newaxis]
    return triangles


def _mel_of(hz: float, scale: Scale) -> float:
    if scale == "htk":
        return _HTK_FACTOR * float(np.log10(1.0 + hz / _HTK_CORNER_HZ))
    if hz >= _LOG_FROM_HZ:
        return _LOG_FROM_MEL + float(np.log(hz / _LOG_FROM_HZ)) / _LOG_STEP
    return hz / _HZ_PER_MEL
