"""Thresholds for a precision asked for: exact on small cases, monotone, careful with few clips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.classifiers.thresholds import (
    SILENT,
    FittedThresholds,
    fit_independent_thresholds,
    fit_thresholds,
)
from tidzam_platform.errors import TrainingError


def rows(*tops: tuple[int, float], classes: int = 2) -> np.ndarray:
    """Clips by their top class and its score; the rest is shared out to the others."""
    made = np.empty((len(tops), classes))
    for row, (top, score) in zip(made, tops, strict=True):
        row[:] = (1 - score) / (classes - 1)
        row[top] = score
    return made


def made_clips(counts: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips of classes that are heard with a noise of their own; scores are the true posterior of equal classes."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(len(counts), 6)) * 1.1
    truth = np.repeat(np.arange(len(counts)), counts)
    seen = centres[truth] + random.normal(size=(len(truth), 6))
    logits = -((seen[:, np.newaxis] - centres) ** 2).sum(axis=-1) / 2
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True), truth


def test_the_least_threshold_that_reaches_the_precision_is_taken() -> None:
    scores = rows((0, 0.9), (0, 0.8), (0, 0.7), (0, 0.6), (1, 0.9), (1, 0.6))
    truth = np.array([0, 0, 1, 0, 1, 1])
    fitted = fit_thresholds(scores, truth, 0.75, prior_clips=0)
    np.testing.assert_allclose(fitted.thresholds, [0.6, 0.6])
    fitted = fit_thresholds(scores, truth, 0.9, prior_clips=0)
    np.testing.assert_allclose(fitted.thresholds, [0.8, 0.6])
    np.testing.assert_allclose(fitted.precision, [1, 1])
    np.testing.assert_allclose(fitted.recall, [2 / 3, 2 / 3])
    assert fitted.n.tolist() == [3, 3]
    assert fitted.reached.all()


def test_no_threshold_lies_below_the_minimum() -> None:
    scores, truth = rows((0, 0.6), (0, 0.9), (1, 0.7)), np.array([0, 0, 1])
    np.testing.assert_allclose(fit_thresholds(scores, truth, 0.5, minimum=0.8).thresholds, [0.8, 0.8])


def test_with_few_clips_a_class_is_held_to_what_all_classes_show() -> None:
    many = [(0, score) for score in np.linspace(0.5, 0.99, 200)]
    truth = [int(score < 0.8) for _, score in many]  # class 0 is right from 0.8 on
    few = [(1, 0.5), (1, 0.95)]
    scores, labels = rows(*many, *few), np.array([*truth, 1, 1])
    careless = fit_thresholds(scores, labels, 0.95, prior_clips=0)
    careful = fit_thresholds(scores, labels, 0.95)
    assert careless.thresholds[1] == pytest.approx(0.5)
    assert 0.75 < careful.thresholds[1] < 0.85
    assert careful.thresholds[0] == pytest.approx(careless.thresholds[0], abs=0.02)


def test_a_class_that_is_right_is_never_silenced_by_care() -> None:
    bad = [(0, score) for score in np.linspace(0.5, 0.99, 100)]
    good = [(1, 0.5), (1, 0.6), (1, 0.7)]
    fitted = fit_thresholds(rows(*bad, *good), np.array([1] * 100 + [1] * 3), 0.95)
    assert fitted.thresholds[1] == pytest.approx(0.7)
    assert fitted.reached.tolist() == [False, True]


def test_a_class_that_is_never_right_is_silent() -> None:
    fitted = fit_thresholds(rows(*[(0, 0.9)] * 30, *[(1, 0.9)] * 30), np.array([1] * 60), 0.95)
    assert fitted.thresholds[0] == SILENT
    assert not fitted.reached[0]
    assert np.isnan(fitted.precision[0])
    assert np.isnan(fitted.recall[0])
    assert fitted.n.tolist() == [0, 60]


def test_clips_of_no_class_count_as_wrong() -> None:
    scores = rows((0, 0.9), (0, 0.6), (1, 0.9))
    fitted = fit_thresholds(scores, np.array([0, -1, 1]), 0.9, prior_clips=0)
    np.testing.assert_allclose(fitted.thresholds, [0.9, 0.6])
    assert fitted.n.tolist() == [1, 1]


def test_a_clip_of_several_classes_is_right_by_any_of_them() -> None:
    scores = rows((0, 0.6), (1, 0.6))
    fitted = fit_thresholds(scores, np.array([[True, True], [True, True]]), 0.9, prior_clips=0)
    np.testing.assert_allclose(fitted.thresholds, [0.6, 0.6])
    assert fitted.n.tolist() == [2, 2]


clips = st.integers(2, 4).flatmap(
    lambda classes: st.lists(
        st.tuples(st.integers(0, classes - 1), st.integers(1, 20), st.integers(-1, classes - 1)),
        min_size=1,
        max_size=30,
    ).map(lambda made: (made, classes))
)


def as_arrays(made: list[tuple[int, int, int]], classes: int) -> tuple[np.ndarray, np.ndarray]:
    scores = rows(*((top, 0.5 + step / 41) for top, step, _ in made), classes=classes)
    return scores, np.array([truth for _, _, truth in made])


@given(clips, st.floats(0.05, 1), st.floats(0.05, 1), st.sampled_from([0, 1, 8, 100]))
def test_a_higher_precision_never_lowers_a_threshold(
    made: tuple, one: float, other: float, prior_clips: float
) -> None:
    scores, truth = as_arrays(*made)
    lower, higher = (
        fit_thresholds(scores, truth, precision, prior_clips=prior_clips)
        for precision in sorted([one, other])
    )
    assert (higher.thresholds >= lower.thresholds).all()
    assert (higher.reached <= lower.reached).all()


@given(clips, st.floats(0.05, 1))
def test_the_figures_are_those_of_the_thresholds(made: tuple, precision: float) -> None:
    scores, truth = as_arrays(*made)
    fitted = fit_thresholds(scores, truth, precision)
    top = scores.argmax(axis=1)
    for index in range(scores.shape[1]):
        answered = (top == index) & (scores[:, index] >= fitted.thresholds[index])
        right = answered & (truth == index)
        assert fitted.n[index] == (truth == index).sum()
        if answered.any():
            assert fitted.precision[index] == pytest.approx(right.sum() / answered.sum())
        if fitted.n[index]:
            assert fitted.recall[index] == pytest.approx(right.sum() / fitted.n[index])


@given(clips, st.floats(0.05, 1))
def test_an_index_says_the_same_as_a_row_of_truths(made: tuple, precision: float) -> None:
    scores, truth = as_arrays(*made)
    by_index = fit_thresholds(scores, truth, precision)
    by_row = fit_thresholds(scores, truth[:, np.newaxis] == np.arange(scores.shape[1]), precision)
    for name in FittedThresholds.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(by_index, name), getattr(by_row, name))


def test_new_clips_are_answered_with_about_the_precision_asked_for() -> None:
    counts = [147, 146, 143, 81, 81, 81, 81, 53, 28, 27, 25, 19, 16, 14]
    many = [5 * count for count in counts]

    def precision_on_new_clips(seed: int, **arguments: float) -> float:
        thresholds = fit_thresholds(*made_clips(counts, seed), 0.95, **arguments).thresholds
        scores, truth = made_clips(many, seed + 100)
        top = scores.argmax(axis=1)
        answered = scores.max(axis=1) >= thresholds[top]
        assert answered.mean() > 0.15
        return float((top == truth)[answered].mean())

    careful = np.mean([precision_on_new_clips(seed) for seed in range(8)])
    careless = np.mean([precision_on_new_clips(seed, prior_clips=0) for seed in range(8)])
    assert careful >= 0.915
    assert careful > careless + 0.01


@pytest.mark.parametrize(
    ("scores", "truth", "arguments"),
    [
        (np.zeros((0, 2)), np.zeros(0, int), {}),
        (np.ones((2, 2)) * 3, np.array([0, 1]), {}),
        (np.full((2, 2), np.nan), np.array([0, 1]), {}),
        (np.ones(2), np.array([0, 1]), {}),
        (np.ones((2, 2)), np.array([0, 2]), {}),
        (np.ones((2, 2)), np.array([0]), {}),
        (np.ones((2, 2)), np.array([0.0, 1.0]), {}),
        (np.ones((2, 2)), np.array([True, False]), {}),
        (np.ones((2, 2)), np.array([0, 1]), {"precision": 0.0}),
        (np.ones((2, 2)), np.array([0, 1]), {"precision": 1.1}),
        (np.ones((2, 2)), np.array([0, 1]), {"minimum": 1.5}),
        (np.ones((2, 2)), np.array([0, 1]), {"prior_clips": -1}),
    ],
)
def test_what_makes_no_sense_is_refused(scores: np.ndarray, truth: np.ndarray, arguments: dict) -> None:
    with pytest.raises(TrainingError):
        fit_thresholds(scores, truth, **arguments)


def test_where_several_classes_may_be_right_each_answers_for_itself() -> None:
    scores = np.array([[0.9, 0.85], [0.8, 0.95], [0.7, 0.1], [0.6, 0.2]])
    truth = np.array([[True, True], [True, True], [False, False], [True, False]])
    known = np.ones_like(truth)
    fitted = fit_independent_thresholds(scores, truth, known, 1.0, minimum=0.3, prior_clips=0)
    np.testing.assert_allclose(fitted.thresholds, [0.8, 0.3])
    np.testing.assert_allclose(fitted.recall, [2 / 3, 1])
    as_rivals = fit_thresholds(scores, truth, 1.0, minimum=0.3, prior_clips=0)
    assert as_rivals.thresholds[0] == 0.9, "the second clip's top class is the other one"


def test_where_several_classes_may_be_right_unknown_truth_does_not_count() -> None:
    scores = np.array([[0.9], [0.8], [0.7]])
    truth = np.array([[True], [False], [True]])
    known = np.array([[True], [False], [True]])
    fitted = fit_independent_thresholds(scores, truth, known, 1.0, minimum=0.3, prior_clips=0)
    assert fitted.thresholds[0] == 0.7
    assert fitted.n[0] == 2
    everything = np.ones_like(known)
    assert fit_independent_thresholds(scores, truth, everything, 1.0, prior_clips=0).thresholds[0] == 0.9


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 1), st.floats(0, 0.9))
def test_the_precision_asked_for_is_reached_on_the_clips_that_it_was_fitted_on_in_each_class(
    seed: int, precision: float, minimum: float
) -> None:
    random = np.random.default_rng(seed)
    truth = random.random((60, 3)) < [0.1, 0.5, 0.9]
    scores = np.clip(truth * 0.4 + random.random((60, 3)) * 0.7, 0, 1)
    fitted = fit_independent_thresholds(
        scores, truth, np.ones_like(truth), precision, minimum=minimum, prior_clips=0
    )
    assert (fitted.thresholds >= minimum).all()
    assert fitted.reached.any()
    for column in np.flatnonzero(fitted.reached):
        answered = scores[:, column] >= fitted.thresholds[column]
        assert truth[answered, column].mean() >= precision


def test_truths_of_another_shape_are_refused() -> None:
    with pytest.raises(TrainingError, match="2 x 2 of bool"):
        fit_independent_thresholds(np.eye(2), np.ones((2, 1), bool), np.ones((2, 2), bool))
