"""Places where a microphone hangs: the noise that is always there, and how the place colours every sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tidzam_platform.made_site.synthesis import (
    RATE_HZ,
    Sound,
    at_unit_power,
    band_noise,
    filtered,
    frames_of,
    seconds_axis,
    smooth_random,
    transform_size,
)

_RESPONSE_KNOTS_HZ: Final = np.array([60.0, 180.0, 550.0, 1600.0, 3500.0, 6500.0, 11_500.0])
_MAINS_HZ: Final = 50.0
_HUM: Final = {1: 1.0, 2: 0.5, 3: 0.3, 5: 0.2}
"""Strength of the harmonics of the mains hum."""


@dataclass(frozen=True)
class Place:
    """One microphone at one place, or one recording session."""

    tilt: float
    """Noise power falls as 1/f**tilt: 0 is white, 1 pink, 2 brown."""
    gusts: float
    """Strength of wind gusts, as a ratio to the steady noise."""
    leaves: float
    """Strength of the rustling of leaves, as a ratio to the steady noise."""
    hum: float
    """Strength of the mains hum, as a ratio to the steady noise."""
    response_db: tuple[float, ...]
    """Gain of microphone and surroundings at the knots of ``_RESPONSE_KNOTS_HZ``."""
    level_dbfs: float
    """Level of the background."""
    echo: float
    """Strength of the reverberation, as a ratio to the direct sound."""
    decay_s: float
    """Time in which the reverberation falls by a factor e."""


def draw_place(rng: np.random.Generator) -> Place:
    """A place drawn at random."""
    return Place(
        tilt=rng.uniform(0.4, 1.9),
        gusts=rng.uniform(0.0, 1.5) if rng.random() < 0.5 else 0.0,
        leaves=rng.uniform(0.1, 0.6) if rng.random() < 0.4 else 0.0,
        hum=rng.uniform(0.1, 0.6) if rng.random() < 0.35 else 0.0,
        response_db=tuple(float(gain_db) for gain_db in rng.normal(0, 4.0, len(_RESPONSE_KNOTS_HZ))),
        level_dbfs=rng.uniform(-48, -34),
        echo=rng.uniform(0.05, 0.3),
        decay_s=rng.uniform(0.02, 0.06),
    )


def background(place: Place, rng: np.random.Generator, frames: int) -> Sound:
    """The noise of the place, before its colouring: ``[frames]``, of about unit power."""
    steady = filtered(rng.standard_normal(frames), lambda hz: np.maximum(hz, 40.0) ** (-place.tilt / 2))
    sound = at_unit_power(steady)
    if place.gusts:
        gust = np.maximum(smooth_random(rng, frames, 0.8), 0) ** 1.5
        sound = sound + place.gusts * gust * band_noise(rng, frames, 20, 220)
    if place.leaves:
        rustle = np.abs(smooth_random(rng, frames, 3.0))
        sound = sound + place.leaves * rustle * band_noise(rng, frames, 1500, 7000)
    if place.hum:
        at_s = seconds_axis(frames)
        for number, strength in _HUM.items():
            sound = sound + place.hum * strength * np.sin(2 * np.pi * _MAINS_HZ * number * at_s)
    return sound


def coloured(place: Place, sound: Sound) -> Sound:
    """``sound`` as the microphone of the place gives it."""

    def gain_at(frequency_hz: Sound) -> Sound:
        gain_db = np.interp(
            np.log(np.maximum(frequency_hz, 1.0)), np.log(_RESPONSE_KNOTS_HZ), np.array(place.response_db)
        )
        gain: Sound = 10 ** (gain_db / 20)
        return gain

    return filtered(sound, gain_at)


def reverberant(place: Place, rng: np.random.Generator, sound: Sound) -> Sound:
    """``sound`` with the scattering of trees and walls: the direct sound, then noise that decays.

    The result is longer than ``sound`` by the tail, five times ``place.decay_s``.
    """
    tail = frames_of(5 * place.decay_s)
    response = np.zeros(tail + 1)
    response[0] = 1.0
    scattered = rng.standard_normal(tail) * np.exp(-np.arange(tail) / (place.decay_s * RATE_HZ))
    response[1:] = place.echo * scattered / np.sqrt(np.sum(scattered**2))
    frames = len(sound) + tail
    size = transform_size(frames)
    return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[:frames]
