"""Building blocks of made sounds: tones, noises, envelopes, notes in a row.

A sound is float64 ``[frames]`` at ``RATE_HZ``. Its scale means nothing until it is mixed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 24_000
"""Rate of everything that is made: Opus carries it as it is, and no voice reaches above 11 kHz."""

_LEAST_INTERVAL_S: Final = 1e-3

Sound = NDArray[np.float64]


def frames_of(seconds: float) -> int:
    """Number of frames that ``seconds`` take."""
    return round(seconds * RATE_HZ)


def seconds_axis(frames: int) -> Sound:
    """Time of each frame in seconds, from 0."""
    return np.arange(frames) / RATE_HZ


def between(position: float, low: float, high: float) -> float:
    """The value at ``position`` (0 to 1) on the way from ``low`` to ``high``, in equal ratios as pitch is heard."""
    return float(low * (high / low) ** position)


def tone(frequency_hz: Sound, harmonics: tuple[float, ...] = (1.0,)) -> Sound:
    """A tone that follows ``frequency_hz`` ``[frames]``, with the amplitudes of its ``harmonics`` from the first.

    Harmonics above 95 % of half the rate are left out, so nothing folds back.
    """
    phase = 2 * np.pi * np.cumsum(frequency_hz) / RATE_HZ
    audible = 0.95 * RATE_HZ / 2
    return sum(
        (
            amplitude * np.where(number * frequency_hz < audible, np.sin(number * phase), 0.0)
            for number, amplitude in enumerate(harmonics, start=1)
        ),
        start=np.zeros_like(frequency_hz),
    )


def fade(frames: int, attack_s: float, release_s: float) -> Sound:
    """An envelope ``[frames]`` that rises and falls as half a cosine; both ends are shortened to fit."""
    gain = np.ones(frames)
    attack = min(frames_of(attack_s), frames // 2)
    release = min(frames_of(release_s), frames - attack)
    gain[:attack] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(attack) + 0.5) / max(attack, 1))
    gain[frames - release :] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(release) + 0.5) / max(release, 1))
    return gain


def transform_size(frames: int) -> int:
    """The least 2**k, 5/4 or 6/4 of it, that is at least ``frames``: sizes that the FFT takes several times faster."""
    power = 1 << max(frames - 1, 7).bit_length() - 1
    return next(size for size in (power, power * 5 // 4, power * 6 // 4, power * 2) if size >= frames)


def frequencies_hz(size: int) -> Sound:
    """Frequency of each bin of a real transform of ``size`` frames, ``[size // 2 + 1]``."""
    return np.arange(size // 2 + 1, dtype=np.float64) * (RATE_HZ / size)


def filtered(sound: Sound, gain_at: Callable[[Sound], Sound]) -> Sound:
    """``sound`` with each frequency multiplied by ``gain_at(frequency_hz)``; zero-padded, so no end wraps round."""
    frames = len(sound)
    size = transform_size(frames + min(frames, RATE_HZ // 10))
    spectrum = np.fft.rfft(sound, size)
    result: Sound = np.fft.irfft(spectrum * gain_at(frequencies_hz(size)), size)[:frames]
    return result


def at_unit_power(sound: Sound) -> Sound:
    """``sound`` with a mean square of 1; silence stays silence."""
    return sound / max(float(np.sqrt(np.mean(sound**2))), 1e-12)


def band_noise(rng: np.random.Generator, frames: int, low_hz: float, high_hz: float) -> Sound:
    """Noise between two frequencies, of unit power, with skirts of 12 dB an octave."""

    def gain_at(frequency_hz: Sound) -> Sound:
        below = (low_hz / np.maximum(frequency_hz, 1.0)) ** 2
        above = (frequency_hz / high_hz) ** 2
        return 1 / (1 + below + above)

    noise = filtered(rng.standard_normal(frames), gain_at)
    return at_unit_power(noise)


def smooth_random(rng: np.random.Generator, frames: int, knots_per_s: float) -> Sound:
    """A slow random course ``[frames]`` of about unit deviation, ``knots_per_s`` turns a second."""
    knots = max(2, round(frames / RATE_HZ * knots_per_s) + 2)
    return np.interp(np.linspace(0, knots - 1, frames), np.arange(knots), rng.standard_normal(knots))


def in_a_row(duration_s: float, note: Callable[[int], Sound], interval_s: Callable[[int], float]) -> Sound:
    """Notes one after another: as many whole ones as fit, at least the first (cut if it must be).

    Args:
        duration_s: the longest that the result may be.
        note: gives the n-th note, from 0.
        interval_s: gives the time from the onset of the n-th note to the next.

    Returns:
        The notes, from the first frame of the first to the last frame of the last.
    """
    canvas = np.zeros(max(1, frames_of(duration_s)))
    first = note(0)[: len(canvas)]
    canvas[: len(first)] = first
    end, onset_s = len(first), 0.0
    for number in itertools.count(1):
        onset_s += max(interval_s(number - 1), _LEAST_INTERVAL_S)
        start, sound = frames_of(onset_s), note(number)
        if start + len(sound) > len(canvas):
            break
        canvas[start : start + len(sound)] += sound
        end = max(end, start + len(sound))
    return canvas[:end]
