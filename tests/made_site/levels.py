"""Measuring made sounds, by other means than those that made them."""

from __future__ import annotations

import numpy as np

from tidzam_platform.made_site.synthesis import RATE_HZ

FRAME_S = 0.02
_FRAME = round(FRAME_S * RATE_HZ)
_BAND_EDGES_HZ = (150, 300, 600, 1200, 2000, 2500, 3000, 3600, 4300, 5200, 7000, 10_000)


def level_db_over_time(sound: np.ndarray) -> np.ndarray:
    """Level in dB of each stretch of 20 ms in each of eleven bands: ``[stretches, bands]``."""
    stretches = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME) * np.hanning(_FRAME)
    power = np.abs(np.fft.rfft(stretches)) ** 2
    edges = [round(edge_hz * FRAME_S) for edge_hz in _BAND_EDGES_HZ]
    bands = np.add.reduceat(power, edges, axis=1)[:, :-1]
    return 10 * np.log10(bands + 1e-20)
