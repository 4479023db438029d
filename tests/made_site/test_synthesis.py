"""The building blocks of made sounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.made_site.mixing import a_weighting, add, level_db, within_full_scale
from tidzam_platform.made_site.synthesis import (
    RATE_HZ,
    band_noise,
    fade,
    filtered,
    in_a_row,
    tone,
    transform_size,
)


def sine(frequency_hz: float, seconds: float = 1.0) -> np.ndarray:
    return tone(np.full(round(seconds * RATE_HZ), frequency_hz))


@given(st.integers(1, 10_000_000))
def test_a_transform_holds_the_frames_and_is_of_a_quick_size(frames: int) -> None:
    size = transform_size(frames)
    assert frames <= size <= max(8, 1.34 * frames)
    for factor in (2, 3, 5):
        while size % factor == 0:
            size //= factor
    assert size == 1


def test_a_filter_that_passes_everything_changes_nothing() -> None:
    sound = np.random.default_rng(0).standard_normal(5000)
    assert filtered(sound, np.ones_like) == pytest.approx(sound)


def test_noise_of_a_band_has_its_power_there() -> None:
    spectrum = np.abs(np.fft.rfft(band_noise(np.random.default_rng(0), RATE_HZ, 1000, 2000))) ** 2
    assert spectrum[1000:2000].sum() > 0.4 * spectrum.sum()
    assert spectrum[:250].sum() + spectrum[8000:].sum() < 0.05 * spectrum.sum()


def test_a_tone_has_no_harmonics_that_fold_back() -> None:
    spectrum = np.abs(np.fft.rfft(tone(np.full(RATE_HZ, 5000.0), (1.0, 1.0, 1.0))))
    assert np.flatnonzero(spectrum > spectrum.max() / 100).tolist() == [5000, 10_000]


@given(st.integers(0, 500), st.floats(0, 0.05), st.floats(0, 0.05))
def test_an_envelope_never_amplifies(frames: int, attack_s: float, release_s: float) -> None:
    gain = fade(frames, attack_s, release_s)
    assert gain.shape == (frames,)
    assert ((gain >= 0) & (gain <= 1)).all()


def test_notes_in_a_row_are_whole_but_for_a_first_that_is_too_long() -> None:
    note = np.ones(RATE_HZ // 10)
    assert len(in_a_row(0.45, lambda _: note, lambda _: 0.2)) == round(0.3 * RATE_HZ)
    assert len(in_a_row(0.05, lambda _: note, lambda _: 0.2)) == round(0.05 * RATE_HZ)


@pytest.mark.parametrize(
    ("frequency_hz", "gain_db"), [(31.6, -39.4), (100, -19.1), (1000, 0), (2512, 1.3), (10_000, -2.5)]
)
def test_the_a_weighting_is_that_of_iec_61672(frequency_hz: float, gain_db: float) -> None:
    gain = a_weighting(np.array([frequency_hz]))[0]
    assert 20 * np.log10(gain) == pytest.approx(gain_db, abs=0.1)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 1.37])
def test_a_full_scale_sine_at_1_khz_is_3_db_below_full_scale_however_long(seconds: float) -> None:
    assert level_db(sine(1000, seconds)) == pytest.approx(-3.01, abs=0.05)


def test_what_hangs_over_the_end_is_cut_off() -> None:
    canvas = np.zeros(10)
    add(canvas, 8, np.ones(5), gain_db=20.0)
    assert canvas.tolist() == [0.0] * 8 + [10.0] * 2


def test_only_a_mix_that_would_clip_is_turned_down() -> None:
    assert np.abs(within_full_scale(3 * sine(100))).max() == pytest.approx(0.9)
    assert within_full_scale(0.5 * sine(100)) == pytest.approx(0.5 * sine(100))
