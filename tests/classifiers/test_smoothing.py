"""The running mean over windows: what it is, where it starts afresh, the same live and on archives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.classifiers.smoothing import RunningMean
from tidzam_platform.errors import SettingsError

HOP = 12


def scores(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 3), dtype=np.float32)


def smoothed(rows: np.ndarray, length: int, first_window: int = 0) -> np.ndarray:
    mean = RunningMean(length, HOP)
    return np.array([mean.push((first_window + index) * HOP, row) for index, row in enumerate(rows)])


def test_a_length_of_two_averages_with_the_window_before_as_the_original_did() -> None:
    rows = scores(5)
    expected = np.concatenate([rows[:1], (rows[1:] + rows[:-1]) / 2])
    np.testing.assert_allclose(smoothed(rows, 2), expected, rtol=1e-6)


def test_a_length_of_one_changes_nothing() -> None:
    np.testing.assert_array_equal(smoothed(scores(5), 1), scores(5))


@given(st.integers(1, 6), st.integers(1, 20), st.integers(0, 99))
def test_it_is_the_mean_of_the_last_windows(length: int, count: int, seed: int) -> None:
    rows = scores(count, seed)
    expected = [rows[max(0, index + 1 - length) : index + 1].mean(axis=0) for index in range(count)]
    result = smoothed(rows, length)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-5)


@given(st.integers(1, 6), st.integers(0, 10))
def test_live_and_archive_give_the_same_bits_wherever_they_began(length: int, later: int) -> None:
    rows = scores(30)
    np.testing.assert_array_equal(
        smoothed(rows, length)[later + length - 1 :], smoothed(rows[later:], length, later)[length - 1 :]
    )


@pytest.mark.parametrize("next_frame", [5 * HOP, 3 * HOP + 1, 2 * HOP, 0])
def test_any_step_but_a_hop_starts_afresh(next_frame: int) -> None:
    mean, rows = RunningMean(3, HOP), scores(5)
    for index in range(3):
        mean.push(index * HOP, rows[index])
    np.testing.assert_array_equal(mean.push(next_frame, rows[3]), rows[3])
    np.testing.assert_allclose(mean.push(next_frame + HOP, rows[4]), rows[3:].mean(axis=0), rtol=1e-6)


def test_an_array_that_the_caller_uses_again_is_not_looked_at_again() -> None:
    mean, row = RunningMean(2, HOP), np.ones(2, np.float32)
    mean.push(0, row)
    row[:] = 0
    np.testing.assert_array_equal(mean.push(HOP, row), [0.5, 0.5])


def test_the_middle_of_the_mean_lies_behind() -> None:
    assert [RunningMean(length, HOP).delay_frames for length in (1, 2, 3)] == [0, 6, 12]


@pytest.mark.parametrize(("length", "hop"), [(0, 1), (1, 0)])
def test_a_length_below_one_is_refused(length: int, hop: int) -> None:
    with pytest.raises(SettingsError, match="at least 1"):
        RunningMean(length, hop)
