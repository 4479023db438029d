"""The filter ``object_filter``: a clip should hold a sound from its beginning to its end."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Of the original Tidzam.
BORDER_SHARE: Final = 0.25  # of the clip's length, at its beginning and at its end
THRESHOLD: Final = 0.1  # of the energy
LOW_HZ: Final = 940.0
HIGH_HZ: Final = 7_900.0
_FRAME: Final = 1024
_BATCH: Final = 256  # frames transformed at once, so that a minute takes little memory


def energy_at_borders(samples: NDArray[np.int16], rate_hz: int) -> float:
    """Share of a clip's energy, in the original's band of 0.94 to 7.9 kHz, in its first and last quarter, 0 to 1.

    1 if there is no energy at all. Samples int16 ``[frames]``.
    """
    frame = min(_FRAME, len(samples))
    count = len(samples) // frame if frame else 0
    if not count:
        return 1.0
    hz = np.fft.rfftfreq(frame, 1 / rate_hz)
    band = (hz >= LOW_HZ) & (hz <= HIGH_HZ)
    window = np.hanning(frame).astype(np.float32)
    cut = samples[: count * frame].reshape(count, frame)
    energy = np.concatenate(
        [
            (np.abs(np.fft.rfft(cut[begin : begin + _BATCH] * window)[:, band]) ** 2).sum(axis=1)
            for begin in range(0, count, _BATCH)
        ]
    )
    total = float(energy.sum())
    if total <= 0:
        return 1.0
    border = round(BORDER_SHARE * count)
    return 1.0 - float(energy[border : count - border].sum()) / total


def holds_whole_sound(samples: NDArray[np.int16], rate_hz: int) -> bool:
    """Whether no more than a tenth of the energy lies at the borders."""
    return energy_at_borders(samples, rate_hz) <= THRESHOLD
