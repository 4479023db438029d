"""Levels, and laying an event over a background."""

from __future__ import annotations

import numpy as np

from tidzam_platform.made_site.synthesis import Sound, frequencies_hz, transform_size


def a_weighting(frequency_hz: Sound) -> Sound:
    """Gain of the A-weighting of IEC 61672-1 at each frequency, 1 at 1 kHz."""
    square = np.square(frequency_hz)
    response = (12194.0**2 * square**2) / (
        (square + 20.6**2) * np.sqrt((square + 107.7**2) * (square + 737.9**2)) * (square + 12194.0**2)
    )
    return response * 10 ** (2.0 / 20)


def level_db(sound: Sound) -> float:
    """A-weighted level in dB relative to full scale: outdoors, low rumble would drown every other measure."""
    size = transform_size(len(sound))
    spectrum = np.fft.rfft(sound, size) * a_weighting(frequencies_hz(size))
    power = (
        2 * np.sum(np.abs(spectrum) ** 2) / size / len(sound)
    )  # Parseval; half the spectrum holds half of it
    return float(10 * np.log10(power + 1e-20))


def add(canvas: Sound, start_frame: int, sound: Sound, gain_db: float) -> None:
    """Add ``sound`` to ``canvas`` in place, from ``start_frame`` on; what hangs over the end is cut off."""
    part = sound[: len(canvas) - start_frame]
    canvas[start_frame : start_frame + len(part)] += part * 10 ** (gain_db / 20)


def within_full_scale(mix: Sound, *, peak: float = 0.9) -> Sound:
    """``mix``, turned down where it would pass ``peak``."""
    highest = float(np.abs(mix).max(initial=0.0))
    return mix * (peak / highest) if highest > peak else mix
