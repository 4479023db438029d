"""Temperature: a known one is found again, and ranking never changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tidzam_platform.classifiers.temperature import BOUNDS, apply_temperature, fit_temperature
from tidzam_platform.errors import TrainingError


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def drawn(temperature: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose truth was drawn as if they were divided by ``temperature``."""
    random = np.random.default_rng(1)
    logits = random.normal(scale=2.0, size=(count, 5))
    chances = softmax(logits / temperature).cumsum(axis=1)
    return logits, (random.random((count, 1)) > chances).sum(axis=1).clip(max=4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found_again(temperature: float) -> None:
    logits, truth = drawn(temperature)
    assert fit_temperature(logits, truth, from_logits=True) == pytest.approx(temperature, rel=0.05)
    assert fit_temperature(softmax(logits), truth) == pytest.approx(temperature, rel=0.05)


def test_what_was_fitted_needs_no_second_fit() -> None:
    logits, truth = drawn(2.0)
    calibrated = apply_temperature(softmax(logits), fit_temperature(softmax(logits), truth))
    assert fit_temperature(calibrated, truth) == pytest.approx(1, abs=0.01)


def test_a_weight_counts_as_that_many_clips() -> None:
    logits, truth = drawn(2.0, count=60)
    weights = np.arange(60) % 3
    repeated = np.repeat(np.arange(60), weights)
    weighted = fit_temperature(logits, truth, weights, from_logits=True)
    assert weighted == pytest.approx(
        fit_temperature(logits[repeated], truth[repeated], from_logits=True), rel=1e-3
    )
    assert weighted != pytest.approx(fit_temperature(logits, truth, from_logits=True), rel=1e-3)


def test_where_no_clip_is_wrong_the_temperature_stays_within_bounds() -> None:
    sure = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert BOUNDS[0] <= fit_temperature(sure, np.array([0, 1])) < 0.1
    assert 10 < fit_temperature(sure, np.array([1, 0])) <= BOUNDS[1]
    certain = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert np.isfinite(fit_temperature(certain, np.array([0, 0])))


probabilities = arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(2, 5)), elements=st.floats(1e-6, 1)
).map(lambda rows: rows / rows.sum(axis=1, keepdims=True))


@given(probabilities, st.floats(0.1, 10))
def test_the_ranking_is_unchanged(rows: np.ndarray, temperature: float) -> None:
    tempered = apply_temperature(rows, temperature)
    np.testing.assert_allclose(tempered.sum(axis=1), 1)
    for before, after in zip(rows, tempered, strict=True):
        assert (np.diff(after[np.argsort(before, kind="stable")]) >= -1e-12).all()


@given(probabilities, st.floats(0.1, 10))
def test_a_temperature_can_be_taken_back(rows: np.ndarray, temperature: float) -> None:
    hot = apply_temperature(rows, max(temperature, 1 / temperature))
    np.testing.assert_allclose(apply_temperature(hot, 1 / max(temperature, 1 / temperature)), rows, atol=1e-9)


def test_above_one_is_less_sure_below_one_is_more() -> None:
    row = np.array([[0.7, 0.2, 0.1]])
    assert apply_temperature(row, 2)[0, 0] < 0.7 < apply_temperature(row, 0.5)[0, 0]
    np.testing.assert_allclose(apply_temperature(row, 1), row)
    np.testing.assert_allclose(apply_temperature(np.array([1.0, 0.0]), 2), [1, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("values", "truth", "weights", "says"),
    [
        (np.array([[3.0, -1.0]]), np.array([0]), None, "from_logits=True"),
        (np.array([[np.nan, 1.0]]), np.array([0]), None, "finite"),
        (np.zeros((0, 2)), np.zeros(0, int), None, "at least one"),
        (np.ones((2, 2)) / 2, np.array([0]), None, "2 indices"),
        (np.ones((2, 2)) / 2, np.array([0, 2]), None, "2 indices"),
        (np.ones((2, 2)) / 2, np.array([0, -1]), None, "2 indices"),
        (np.ones((2, 2)) / 2, np.array([0.5, 1]), None, "2 indices"),
        (np.ones((2, 2)) / 2, np.array([0, 1]), np.array([0, 0]), "weights"),
        (np.ones((2, 2)) / 2, np.array([0, 1]), np.array([1, -1]), "weights"),
        (np.ones((2, 2)) / 2, np.array([0, 1]), np.array([1]), "weights"),
    ],
)
def test_what_makes_no_sense_is_refused(
    values: np.ndarray, truth: np.ndarray, weights: np.ndarray | None, says: str
) -> None:
    with pytest.raises(TrainingError, match=says):
        fit_temperature(values, truth, weights)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_is_above_zero(temperature: float) -> None:
    with pytest.raises(TrainingError, match="above 0"):
        apply_temperature(np.array([[0.5, 0.5]]), temperature)
