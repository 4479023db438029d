"""Meters of many channels in one pass: each says what was put into its channel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamer.engine.mixer.meters import CLIPPING, WINDOW_S, measure

RATE_HZ = 48_000
FRAMES = int(WINDOW_S * RATE_HZ)
SECONDS = np.arange(FRAMES) / RATE_HZ


def _sine(hertz: float, amplitude: float) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hertz * SECONDS + 0.3)).astype(np.float32)


def _noise(seed: int, level: float) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(FRAMES)).astype(np.float32)


def test_peak_and_rms_are_in_dbfs_of_each_channel_alone() -> None:
    readings = measure(np.stack([_sine(1000, 1.0), _sine(1000, 0.1), np.zeros(FRAMES, np.float32)]), RATE_HZ)
    assert readings.peak_dbfs == pytest.approx([0.0, -20.0, -120.0], abs=0.01)
    assert readings.rms_dbfs == pytest.approx([-3.01, -23.01, -120.0], abs=0.01)


def test_clipped_samples_are_counted() -> None:
    signal = _sine(100, 0.5)
    signal[100:107] = [1.0, -1.0, 1.2, CLIPPING, -CLIPPING, 0.99, 0.998]
    meters = measure(np.stack([_sine(100, 0.5), signal]), RATE_HZ)
    assert list(meters.clipped_frames) == [0, 5]
    assert meters.channel(1).clipped_share == 5 / FRAMES


@pytest.mark.parametrize("mains_hz", [50, 60])
@pytest.mark.parametrize("drift_hz", [-0.1, 0.0, 0.1])
def test_hum_is_found_under_noise_with_its_mains_frequency(mains_hz: int, drift_hz: float) -> None:
    fundamental = mains_hz + drift_hz
    hum = _sine(fundamental, 0.05) + _sine(2 * fundamental, 0.03) + _sine(3 * fundamental, 0.02)
    meters = measure((hum + _noise(1, 0.005))[None], RATE_HZ).channel(0)
    assert meters.hum_share > 0.9
    assert meters.hum_hz == mains_hz


def test_wind_birds_and_rain_do_not_hum() -> None:
    wind = np.cumsum(_noise(2, 1.0))
    wind = (0.3 * wind / np.abs(wind).max()).astype(np.float32)
    readings = measure(np.stack([wind, _sine(3000, 0.5), _noise(3, 0.1), _sine(75, 0.2)]), RATE_HZ)
    assert (readings.hum_share < 0.3).all()


def test_dc_is_level_and_no_hum() -> None:
    meters = measure(np.full((1, FRAMES), 0.5, np.float32), RATE_HZ).channel(0)
    assert meters.hum_share == 0
    assert meters.rms_dbfs == pytest.approx(-6.02, abs=0.01)


def test_exact_zeros_tell_a_dead_channel_from_a_quiet_one() -> None:
    readings = measure(np.stack([np.zeros(FRAMES, np.float32), _noise(4, 1e-6)]), RATE_HZ)
    assert [readings.channel(number).is_dead for number in range(2)] == [True, False]


def test_what_is_no_number_is_counted_and_is_silence_in_the_rest() -> None:
    broken = _sine(1000, 0.1)
    broken[:4] = [np.nan, np.inf, -np.inf, 1e20]
    block = np.stack([broken, _sine(1000, 0.1)])
    before = block.copy()
    readings = measure(block, RATE_HZ)
    np.testing.assert_array_equal(block, before)
    assert list(readings.invalid_frames) == [4, 0]
    assert readings.rms_dbfs == pytest.approx([-23.01, -23.01], abs=0.02)
    assert readings.peak_dbfs == pytest.approx([-20, -20], abs=0.01)


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(0, 300)),
        elements=st.one_of(st.floats(width=32), st.floats(-1, 1, width=32)),
    )
)
def test_any_block_gives_numbers(block: np.ndarray) -> None:
    readings = measure(block, 1200)
    for number in range(len(readings)):
        meters = readings.channel(number)
        assert -120 <= meters.rms_dbfs <= meters.peak_dbfs + 1e-3
        assert 0 <= meters.hum_share <= 1
        assert 0 <= meters.clipped_frames <= meters.frames == block.shape[1]
        assert meters.invalid_frames <= meters.zero_frames <= meters.frames
