"""Pooling of windows to a clip: hand calculations, and what holds for any scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tidzam_platform.classifiers.clip_pooling import (
    POOLINGS,
    majority,
    maximum,
    power_mean,
    soft_vote,
    sum_of_powers,
)
from tidzam_platform.errors import TrainingError

SCORES = np.array([[0.1, 0.9, 0.0], [0.6, 0.2, 0.2], [0.5, 0.1, 0.4]], np.float32)

windows = st.tuples(st.integers(1, 6), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.floats(0, 1, width=32))
)


def test_hand_calculations() -> None:
    np.testing.assert_allclose(soft_vote(SCORES), [0.4, 0.4, 0.2], rtol=1e-6)
    np.testing.assert_allclose(maximum(SCORES), [0.6, 0.9, 0.4], rtol=1e-6)
    np.testing.assert_allclose(sum_of_powers(SCORES, 2), [0.62, 0.86, 0.2], rtol=1e-6)
    np.testing.assert_allclose(sum_of_powers(SCORES, 3), [0.342, 0.738, 0.072], rtol=1e-6)
    np.testing.assert_allclose(power_mean(SCORES, 2), np.sqrt([0.62 / 3, 0.86 / 3, 0.2 / 3]), rtol=1e-6)
    np.testing.assert_allclose(majority(SCORES), [2 / 3, 1 / 3, 0])


def test_the_higher_the_power_the_more_a_single_sure_window_counts() -> None:
    assert sum_of_powers(SCORES, 1).argmax() == 0 or np.isclose(*soft_vote(SCORES)[:2])
    assert sum_of_powers(SCORES, 2).argmax() == sum_of_powers(SCORES, 3).argmax() == 1


def test_of_equal_scores_the_first_class_has_the_vote() -> None:
    np.testing.assert_array_equal(majority(np.full((2, 3), 0.3)), [1, 0, 0])


@given(windows)
def test_pooled_scores_lie_between_mean_and_maximum(scores: np.ndarray) -> None:
    mean, highest = soft_vote(scores), maximum(scores)
    for power in (1, 2, 3, 8):
        pooled = power_mean(scores, power)
        assert (pooled >= mean - 1e-6).all()
        assert (pooled <= highest + 1e-6).all()
    np.testing.assert_allclose(power_mean(scores, 1), mean, atol=1e-9)


@given(windows)
def test_votes_are_shared_out_completely(scores: np.ndarray) -> None:
    assert majority(scores).sum() == pytest.approx(1)
    assert len(majority(scores)) == scores.shape[1]


@pytest.mark.parametrize("name", POOLINGS)
def test_a_clip_of_one_window_is_judged_as_the_window(name: str) -> None:
    pooled = POOLINGS[name](SCORES[:1])
    assert pooled.dtype == np.float64
    assert pooled.argmax() == SCORES[0].argmax()


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,)])
def test_nothing_to_pool_is_an_error(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(TrainingError, match="cannot be pooled"):
        POOLINGS[name](np.zeros(shape, np.float32))


@pytest.mark.parametrize("power", [0, -1, float("nan")])
def test_a_power_is_above_zero(power: float) -> None:
    with pytest.raises(TrainingError, match="above 0"):
        sum_of_powers(SCORES, power)
