"""What tells a broken microphone from a working one, of all windows of a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

CLIPPING: Final = 0.999  # of full scale, as the engine's meters have it


@dataclass(frozen=True, slots=True)
class Soundness:
    """One window: whether it is nothing but exact zeros, and its share of samples at full scale, 0 to 1."""

    is_zero: bool
    clipped_share: float


def soundness(audio: NDArray[np.float32]) -> list[Soundness]:
    """Look at each row of ``audio``, float32 ``[windows, samples]``; it is not changed.

    Two passes over what is not clipped: 512 windows of a second at 48 kHz take about 10 ms.
    """
    if not audio.size:
        return []
    highest, lowest = audio.max(axis=1), audio.min(axis=1)
    found = []
    for row, high, low in zip(audio, highest, lowest, strict=True):
        clips = max(float(high), -float(low)) >= CLIPPING
        share = np.count_nonzero(np.abs(row) >= CLIPPING) / len(row) if clips else 0.0
        found.append(Soundness(bool(high == 0 and low == 0), float(share)))
    return found
