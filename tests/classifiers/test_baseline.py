"""The baseline hears what classes sound like on average, and nothing of the order in time."""

from __future__ import annotations

import numpy as np
import pytest

from tidzam_platform.classifiers.baseline import LabelledClip, nearest_centroid_macro_f1
from tidzam_platform.errors import TrainingError

RATE_HZ = 16_000


def clip(seed: int, label: str, *, pitch_hz: float, sweep: float = 0.0, seconds: float = 0.5) -> LabelledClip:
    """A tone that swells, fades and meanwhile moves by ``sweep`` of its pitch, in some noise."""
    rng = np.random.default_rng(seed)
    at_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    centred = at_s / seconds - 0.5
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + sweep * centred)) / RATE_HZ
    return (0.3 * np.hanning(len(at_s)) * np.sin(phase) + 0.02 * rng.standard_normal(len(at_s))).astype(
        np.float32
    ), label


def of_pitch(seeds: range, pitches_hz: dict[str, float]) -> list[LabelledClip]:
    return [clip(seed, label, pitch_hz=pitch_hz) for label, pitch_hz in pitches_hz.items() for seed in seeds]


def test_classes_of_different_spectra_are_all_told_apart() -> None:
    pitches_hz = {"low": 400.0, "middle": 1500.0, "high": 5000.0}
    train, test = of_pitch(range(5), pitches_hz), of_pitch(range(100, 105), pitches_hz)
    assert nearest_centroid_macro_f1(train, test, RATE_HZ) == 1.0


def test_classes_that_differ_in_the_order_of_time_alone_are_not_told_apart() -> None:
    def sweeps(seed: int) -> list[LabelledClip]:
        pitches_hz = np.random.default_rng(seed).uniform(1500, 3000, 40)
        return [
            clip(seed + index, label, pitch_hz=pitch_hz, sweep=sweep)
            for index, pitch_hz in enumerate(pitches_hz)
            for label, sweep in (("rising", 0.5), ("falling", -0.5))
        ]

    assert nearest_centroid_macro_f1(sweeps(0), sweeps(1000), RATE_HZ) < 0.7


def test_labels_by_chance_are_guessed_by_chance() -> None:
    rng = np.random.default_rng(0)

    def by_chance(count: int, seed: int) -> list[LabelledClip]:
        return [
            clip(seed + index, str(rng.integers(4)), pitch_hz=1000, seconds=0.2) for index in range(count)
        ]

    assert nearest_centroid_macro_f1(by_chance(120, 0), by_chance(120, 1000), RATE_HZ) < 0.4


def test_a_class_that_was_never_trained_counts_as_missed() -> None:
    train = of_pitch(range(3), {"low": 400.0, "high": 5000.0})
    test = of_pitch(range(10, 13), {"low": 400.0, "high": 5000.0, "new": 4900.0})
    assert nearest_centroid_macro_f1(train, test, RATE_HZ) == pytest.approx((1 + 6 / 9 + 0) / 3)


def test_clips_shorter_than_an_analysis_window_are_taken() -> None:
    short = [
        clip(seed, label, pitch_hz=pitch_hz, seconds=0.02)
        for seed in range(3)
        for label, pitch_hz in (("a", 400), ("b", 4000))
    ]
    assert nearest_centroid_macro_f1(short, short, RATE_HZ) == 1.0


def test_a_side_without_clips_is_refused() -> None:
    clips = of_pitch(range(1), {"low": 400.0})
    for train, test in (([], clips), (clips, [])):
        with pytest.raises(TrainingError, match="empty"):
            nearest_centroid_macro_f1(train, test, RATE_HZ)
