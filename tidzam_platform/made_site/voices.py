"""The voices of the made site: one function a class.

What separates the classes is the pattern in time (direction of a sweep, rate of a trill, regularity), far less the
mean spectrum: the ranges of pitch overlap on purpose.

A voice is called ``voice(individual, rng, duration_s)`` and returns a sound (float64 ``[frames]``, any scale) that
lasts ``duration_s`` at most, without silence at its ends. ``individual`` fixes what an animal, a person or a machine
keeps from call to call; ``rng`` gives what varies between calls and notes.

Rates, pitches and note lengths are in the range of the named sounds in nature, simplified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from tidzam_platform.made_site.synthesis import (
    RATE_HZ,
    Sound,
    at_unit_power,
    band_noise,
    between,
    fade,
    filtered,
    frames_of,
    in_a_row,
    seconds_axis,
    smooth_random,
    tone,
)

_OCCASION_DEVIATION: Final = 0.15


@dataclass(frozen=True)
class Individual:
    """Where one animal, person or machine stands in the range of its kind: each from 0 (low) to 1 (high)."""

    pitch: float
    tempo: float
    timbre: float

    def at_another_time(self, rng: np.random.Generator) -> Individual:
        """The same one on another occasion: nobody sings or drives always alike."""
        shifts = rng.normal(0, _OCCASION_DEVIATION, 3)
        position = np.clip(np.array([self.pitch, self.tempo, self.timbre]) + shifts, 0, 1)
        return Individual(*map(float, position))


Voice = Callable[[Individual, np.random.Generator, float], Sound]


def chiffchaff(individual: Individual, rng: np.random.Generator, duration_s: float) -> Sound:
    """Two notes in uneven alternation, 3 to 4 a second; varies pitch 2.1-4.2 kHz and the step between them."""
    high_hz = between(individual.pitch, 2900, 4200)
    low_hz = high_hz / between(individual.timbre, 1.2, 1.35)
    interval_s = 1 / between(individual.tempo, 2.8, 3.8)
    first = int(rng.integers(2))

    def note(number: int) -> Sound:
        is_high = (number + first) % 2 == 0 if rng.random() > 0.1 else rng.random() < 0.5
        frames = frames_of(rng.uniform(0.09, 0.13))
        centre_hz = (high_hz if is_high else low_hz) * rng.uniform(0.98, 1.02)
        # a hook: a steep fall into a steady pitch
        hook = 1 + 0.15 * np.exp(-seconds_axis(frames) / 0.012)
        return tone(centre_hz * hook, (1.0, 0.15)) * fade(frames, 0.008, 0.04)

    return in_a_row(duration_s, note, lambda _: interval_s * rng.uniform(0.94, 1.06))


def _whistle(individual: Individual, rng: np.random.Generator, duration_s: float, *, rising: bool) -> Sound:
    low_hz = between(individual.pitch, 2200, 3300)
    ratio = between(individual.timbre, 1.3, 1.6)
    length_s = 1 / between(individual.tempo, 2.2, 4.5)

    def note(_: int) -> Sound:
        frames = frames_of(length_s * rng.uniform(0.85, 1.15))
        way = np.linspace(0, 1, frames) ** rng.uniform(0.8, 1.25)
        sweep_hz = low_hz * rng.uniform(0.97, 1.03) * ratio ** (way if rising else 1 - way)
        return tone(sweep_hz, (1.0, 0.1)) * fade(frames, 0.04, 0.04)

    return in_a_row(duration_s, note, lambda _: length_s * rng.uniform(1.3, 1.9))


def rising_whistle(individual: Individual, rng: np.random.Generator, duration_s: float) -> Sound:
    """Whistles of 0.2 to 0.45 s that rise by a third to a fifth; varies pitch 2.2-5.3 kHz, length, the interval."""
    return _whistle(individual, rng, duration_s, rising=True)


def falling_whistle(individual: Individual, rng: np.random.Generator, duration_s: float) -> Sound:
    """The same whistles turned round: they fall. On average the spectrum is that of the rising ones."""
    return _whistle(individual, rng, duration_s, rising=False)


def _trill(
    individual: Individual, rng: np.random.Generator, duration_s: float, *, notes_per_s: float, note_s: float
) -> Sound:
    centre_hz = between(individual.pitch, 2600, 4000)
    bend = between(individual.timbre, 1.03, 1.2)

    def note(_: int) -> Sound:
        frames = frames_of(note_s * rng.uniform(0.9, 1.1))
        way = np.abs(np.linspace(-1, 1, frames))
        note_hz = centre_hz * rng.uniform(0.985, 1.015) * bend**-way
        return tone(note_hz, (1.0, 0.1)) * fade(frames, note_s / 3, note_s / 3)

    return in_a_row(duration_s, note, lambda _: rng.uniform(0.97, 1.03) / notes_per_s)


def slow_trill(individual: Individual, rng: np.random.Generator, duration_s: float) -> Sound:
    """Short arched notes, 4 to 6 a second; varies pitch 2.2-4 kHz, the arch, the rate."""
    return _trill(individual, rng, duration_s, notes_per_s=between(individual.tempo, 4, 6), note_s=0.08)


def fast_trill(individual: Individual, rng: np.random.Generator, duration_s: float) -> Sound:
    """The same notes shorter, 14 to 20 a second."""
    return _trill(individual, rng, duration_s, notes_per_s=between(individual.tempo, 14, 20), note_s=0.028)


def tree_frog(individual: Individual, rng: np.random.Generator, duration_s: float) -> Sound:
    """Croaks of 0.12 to 0.2 s, 3 to 5 a second, each pulsed at 35 to 60 Hz; two bands, the upper 1.9-3 kHz."""
    upper_hz = between(individual.pitch, 1900, 3000)
    pulse_hz = between(individual.timbre, 35, 60)
    croak_s = between(individual.tempo, 0.2, 0.12)

    def note(_: int) -> Sound:
        frames = frames_of(croak_s * rng.uniform(0.9, 1.1))
        at_s = seconds_axis(frames)
        pulses = np.exp(-((at_s * pulse_hz * rng.uniform(0.97, 1.03)) % 1) / 0.3)
        carrier = tone(np.full(frames, upper_hz)) + 0.5 * tone(np.full(frames, upper_hz / 2))
        rough = 0.3 * band_noise(rng, frames, upper_hz * 0.4, upper_hz * 1.2)
        return (carrier + rough) * pulses * fade(frames, 0.04, 0.03)

    return in_a_row(duration_s, note, lambda _: croak_s * rng.uniform(1.45, 1.75))


def field_cricket(individual: Individual, rng: np.random.Generator, duration_s: float) -> Sound:
    """Even chirps, 2.5 to 3.8 a second, each of four syllables at 20 to 28 Hz; carrier 3.2-4.8 kHz."""
    carrier_hz = between(individual.pitch, 3200, 4800)
    syllable_hz = between(individual.timbre, 20, 28)
    interval_s = 1 / between(individual.tempo, 2.5, 3.8)

    def note(_: int) -> Sound:
        frames = frames_of(3.5 / syllable_hz)  # each syllable is followed by as long a pause
        at_s = seconds_axis(frames)
        pulses = np.maximum(np.sin(2 * np.pi * at_s * syllable_hz), 0)
        return tone(np.full(frames, carrier_hz * rng.uniform(0.995, 1.005)), (1.0, 0.12)) * pulses

    return in_a_row(duration_s, note, lambda _: interval_s * rng.uniform(0.98, 1.02))


def bush_cricket(individual: Individual, rng: np.random.Generator, duration_s: float) -> Sound:
    """Single clicks at random times, 5 to 12 a second; each a ringing of 4 to 10 ms at 3.2-5.5 kHz."""
    ring_hz = between(individual.pitch, 3200, 5500)
    decay_s = between(individual.timbre, 0.003, 0.008)
    clicks_per_s = between(individual.tempo, 5, 12)

    def note(_: int) -> Sound:
        frames = frames_of(6 * decay_s)
        ring = tone(np.full(frames, ring_hz * rng.uniform(0.95, 1.05)))
        rough = band_noise(rng, frames, ring_hz * 0.7, ring_hz * 1.4)
        strength = between(rng.random(), 0.4, 1.0)
        return strength * (ring + 0.7 * rough) * np.exp(-seconds_axis(frames) / decay_s)

    return in_a_row(duration_s, note, lambda _: 0.02 + rng.exponential(1 / clicks_per_s))


def rain(individual: Individual, rng: np.random.Generator, duration_s: float) -> Sound:
    """Drops at random times, 60 to 200 a second, each a short ringing of its own pitch, over a fine hiss."""
    frames = frames_of(duration_s)
    ring_s = between(individual.timbre, 0.002, 0.005)
    drops = rng.poisson(between(individual.tempo, 60, 200) * duration_s) + 1
    length = min(frames_of(6 * ring_s), frames)
    at = np.arange(length)
    pitch_hz = between(individual.pitch, 1500, 3000) * np.exp(rng.normal(0, 0.5, drops))
    pitch_hz = np.clip(pitch_hz, 400, 9000)
    strength = np.minimum(rng.pareto(2.0, drops) + 0.3, 4.0)
    onset = rng.integers(0, frames - length + 1, drops)
    rings = (
        strength[:, None]
        * np.exp(-at / (ring_s * RATE_HZ))
        * np.sin(2 * np.pi * pitch_hz[:, None] * at / RATE_HZ)
    )
    sound = np.zeros(frames)
    np.add.at(sound, onset[:, None] + at, rings)
    hiss = band_noise(rng, frames, 2500, 9000)
    return (at_unit_power(sound) + 0.4 * hiss) * fade(frames, 0.1, 0.1)


def car(individual: Individual, rng: np.random.Generator, duration_s: float) -> Sound:
    """A car that comes and goes: tyre noise swelling around 0.5-2 kHz, over an engine of 45 to 90 Hz that drops."""
    frames = frames_of(duration_s)
    nearest = rng.uniform(0.35, 0.65) * duration_s
    away_s = (seconds_axis(frames) - nearest) / between(individual.tempo, 0.7, 0.35)
    swell = 1 / (1 + away_s**2)
    # the passing of a source drops its pitch (Doppler), a few per cent at road speed
    doppler = 1 - 0.04 * away_s / np.sqrt(1 + away_s**2)
    engine = tone(between(individual.pitch, 45, 90) * doppler, (0.3, 1.0, 0.6, 0.8, 0.3, 0.4))
    tyres = band_noise(rng, frames, 450, between(individual.timbre, 1000, 2000))
    return (tyres + 0.5 * engine) * swell * fade(frames, duration_s / 4, duration_s / 4)


_VOWELS_HZ: Final = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
)
"""First three formants of a, i, u, e, o (Peterson and Barney 1952, men)."""


def human_voice(individual: Individual, rng: np.random.Generator, duration_s: float) -> Sound:
    """Syllables, 3 to 5 a second, of vowels and hissed consonants; varies pitch 95-230 Hz and length of the throat."""
    pitch_hz = between(individual.pitch, 95, 230)
    throat = between(individual.timbre, 0.95, 1.2)
    syllable_s = 1 / between(individual.tempo, 3.0, 5.0)

    def note(_: int) -> Sound:
        frames = frames_of(syllable_s * rng.uniform(0.6, 0.9))
        course = 1 + 0.06 * smooth_random(rng, frames, 6.0) - 0.1 * np.linspace(0, 1, frames)
        vowel_hz = throat * np.array(_VOWELS_HZ[int(rng.integers(len(_VOWELS_HZ)))])
        glottis = tone(pitch_hz * rng.uniform(0.9, 1.15) * course, tuple(1 / n for n in range(1, 36)))
        voiced = filtered(glottis, lambda frequency_hz: _resonances(frequency_hz, vowel_hz))
        voiced *= fade(frames, 0.04, 0.06) / (np.abs(voiced).max() + 1e-12)
        if rng.random() < 0.4:
            hiss = band_noise(rng, min(frames, frames_of(0.07)), 3000, 7000)
            voiced[: len(hiss)] += 0.12 * hiss * fade(len(hiss), 0.02, 0.03)
        return voiced

    return in_a_row(duration_s, note, lambda _: syllable_s * rng.uniform(0.9, 1.2))


def _resonances(frequency_hz: Sound, centres_hz: Sound) -> Sound:
    """Gain of the vocal tract: a resonance at each formant, about 90 Hz wide and weaker upwards."""
    widths_hz = 60 + centres_hz * 0.04
    peaks = 1 / np.sqrt(1 + ((frequency_hz[:, None] - centres_hz) / widths_hz) ** 2)
    gains: Sound = peaks @ np.array([1.0, 0.6, 0.3])
    return gains


VOICES: Final[Mapping[str, Voice]] = MappingProxyType(
    {
        "birds-chiffchaff": chiffchaff,
        "birds-rising_whistle": rising_whistle,
        "birds-falling_whistle": falling_whistle,
        "birds-slow_trill": slow_trill,
        "birds-fast_trill": fast_trill,
        "amphibians-tree_frog": tree_frog,
        "insects-field_cricket": field_cricket,
        "insects-bush_cricket": bush_cricket,
        "weather-rain": rain,
        "vehicles-car": car,
        "human-voice": human_voice,
    }
)
"""Every class of event by its class path."""
