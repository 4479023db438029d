"""Levels of audio."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FLOOR_DBFS: Final = -120.0


def rms_dbfs(samples: NDArray[Any], axis: int = -1) -> NDArray[np.float64]:
    """Root mean square along ``axis`` in dB relative to an amplitude of 1, never below FLOOR_DBFS.

    A full-scale sine is at -3.01 dBFS by this convention, a full-scale square wave at 0.

    Args:
        samples: real numbers of any shape, nominally in [-1, 1].
        axis: the axis of time; it is gone in the result. No samples along it count as silence.
    """
    values = np.asarray(samples)
    power = np.square(values, dtype=np.float64).sum(axis=axis) / max(values.shape[axis], 1)
    floor_power = 10 ** (FLOOR_DBFS / 10)
    return np.asarray(10 * np.log10(np.maximum(power, floor_power)), dtype=np.float64)
