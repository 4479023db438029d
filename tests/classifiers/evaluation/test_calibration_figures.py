"""Calibration figures: hand-computed cases, and what holds for all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.classifiers.evaluation.untimed import untimed
from tidzam_platform.classifiers.evaluation.calibration_figures import (
    brier_score,
    expected_calibration_error,
    multiclass_brier_score,
    reliability_table,
)
from tidzam_platform.errors import TrainingError

SOME_CLIPS = st.lists(
    st.tuples(st.floats(0, 1, allow_subnormal=False), st.booleans()), min_size=1, max_size=80
)


def test_figures_equal_a_hand_calculation() -> None:
    confidence = np.array([0.9, 0.2, 0.8, 0.4])
    correct = np.array([True, False, False, True])
    low, high = reliability_table(confidence, correct, bins=2)
    assert (low.low, low.high, low.clips, low.accuracy) == (0.2, 0.4, 2, 0.5)
    assert low.confidence == pytest.approx(0.3)
    assert high.confidence == pytest.approx(0.85)
    assert expected_calibration_error(confidence, correct, bins=2) == pytest.approx((0.2 + 0.35) / 2)
    assert brier_score(confidence, correct) == pytest.approx((0.01 + 0.04 + 0.64 + 0.36) / 4)


def test_brier_of_several_classes_equals_a_hand_calculation() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
    present = np.array([[True, False, False], [True, False, False]])
    assert multiclass_brier_score(probabilities, present) == pytest.approx((0.09 + 0.04 + 0.01 + 2) / 2)


@untimed
@given(SOME_CLIPS)
def test_bins_are_of_equal_mass_and_in_order(clips: list[tuple[float, bool]]) -> None:
    confidence, correct = (np.array(values) for values in zip(*clips, strict=True))
    table = reliability_table(confidence, correct)
    sizes = [one.clips for one in table]
    assert sum(sizes) == len(clips)
    assert len(table) == min(15, len(clips))
    assert max(sizes) - min(sizes) <= 1
    assert all(one.low <= one.confidence + 1e-12 and one.confidence <= one.high + 1e-12 for one in table)
    assert all(before.high <= after.low for before, after in itertools.pairwise(table))
    assert sum(one.accuracy * one.clips for one in table) == pytest.approx(correct.sum())


@untimed
@given(SOME_CLIPS, st.randoms())
def test_the_order_of_the_clips_does_not_count(clips: list[tuple[float, bool]], random) -> None:
    shuffled = random.sample(clips, len(clips))
    errors = [
        expected_calibration_error(*(np.array(values) for values in zip(*one, strict=True)))
        for one in (clips, shuffled)
    ]
    assert errors[0] == pytest.approx(errors[1], abs=1e-12)
    assert 0 <= errors[0] <= 1


def test_many_clips_that_are_as_often_right_as_they_say_have_no_error() -> None:
    confidence = np.repeat([0.25, 0.5, 0.75], 300)
    correct = np.concatenate([np.arange(300) % 4 < quarters for quarters in (1, 2, 3)])
    assert expected_calibration_error(confidence, correct) == pytest.approx(0, abs=1e-12)


def test_always_sure_and_always_wrong_is_the_worst() -> None:
    assert expected_calibration_error(np.ones(20), np.zeros(20, bool)) == 1
    assert brier_score(np.ones(20), np.zeros(20, bool)) == 1


@pytest.mark.parametrize(
    ("confidence", "correct"),
    [([], []), ([0.5], [True, False]), ([1.5], [True]), ([-0.1], [True]), ([float("nan")], [True])],
)
def test_what_is_no_confidence_is_refused(confidence: list[float], correct: list[bool]) -> None:
    with pytest.raises(TrainingError):
        expected_calibration_error(np.array(confidence), np.array(correct, bool))


def test_shapes_must_agree() -> None:
    with pytest.raises(TrainingError, match="one shape"):
        multiclass_brier_score(np.zeros((2, 3)), np.zeros((2, 2), bool))
