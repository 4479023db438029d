"""Decoded audio in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Block:
    """Consecutive frames of a recording.

    Attributes:
        start_frame: frame number of the first column, counted from the start of the file at the rate asked for.
        samples: float32 ``[channels, frames]`` in [-1, 1].
    """

    start_frame: int
    samples: Samples


def valid_samples(samples: NDArray[Any]) -> Samples:
    """``samples`` as float32 in [-1, 1]: what is not a number becomes 0, what is beyond is clipped.

    Returns ``samples`` itself where nothing had to change.
    """
    floats = samples.astype(np.float32, copy=False)
    if floats.size == 0 or max(floats.max(), -floats.min()) <= 1:  # false where a NaN is among them
        return floats
    return np.clip(np.nan_to_num(floats, nan=0.0, posinf=0.0, neginf=0.0), -1, 1)
