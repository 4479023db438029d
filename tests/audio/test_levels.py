"""Levels in dBFS."""

from __future__ import annotations

import numpy as np
import pytest

from tests.audio.made import tones
from tidzam_platform.audio import rms_dbfs


def test_a_full_scale_sine_is_at_minus_3_and_a_square_wave_at_0() -> None:
    assert rms_dbfs(tones([1000.0], 1.0, level=1.0))[0] == pytest.approx(-3.0103, abs=1e-3)
    assert rms_dbfs(np.array([1.0, -1.0, 1.0, -1.0])) == pytest.approx(0)


def test_half_the_amplitude_is_6_db_less() -> None:
    loud, soft = rms_dbfs(np.stack([np.ones(10), np.full(10, 0.5)]))
    assert loud - soft == pytest.approx(6.0206, abs=1e-3)


def test_silence_and_nothing_are_at_the_floor() -> None:
    assert rms_dbfs(np.zeros((3, 100), np.float32)).tolist() == [-120.0] * 3
    assert rms_dbfs(np.zeros((2, 0), np.float32)).tolist() == [-120.0] * 2
    assert rms_dbfs(np.full((1, 10), 1e-9)).tolist() == [-120.0]


def test_the_axis_of_time_can_be_any() -> None:
    samples = np.ones((4, 5, 6), np.float32)
    assert rms_dbfs(samples).shape == (4, 5)
    assert rms_dbfs(samples, axis=0).shape == (5, 6)
    assert rms_dbfs(samples).dtype == np.float64


def test_long_quiet_audio_is_not_lost_in_rounding() -> None:
    assert rms_dbfs(np.full((1, 5_000_000), 1e-5, np.float32))[0] == pytest.approx(-100, abs=1e-3)
