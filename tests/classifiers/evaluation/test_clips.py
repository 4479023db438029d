"""Closed-set figures from probabilities, against hand calculations."""

from __future__ import annotations

import numpy as np
import pytest

from tidzam_platform.classifiers.evaluation import compare
from tidzam_platform.classifiers.evaluation.clips import best_classes, closed_set_figures, rank_figures
from tidzam_platform.errors import TrainingError

CLASSES = ("a", "b", "c")


def test_figures_equal_a_hand_calculation() -> None:
    truths = [("a",), ("a",), ("b",), ("b",)]
    probabilities = np.array([[0.8, 0.1, 0.1], [0.3, 0.5, 0.2], [0.4, 0.5, 0.1], [0.1, 0.2, 0.7]])
    figures = closed_set_figures(truths, probabilities, CLASSES)
    assert figures.evaluation == compare(truths, ["a", "b", "b", "c"])
    assert figures.evaluation.accuracy == 0.5
    # a: scores 0.8, 0.3 of its clips against 0.4, 0.1: three of four pairs are in order
    assert figures.ranking["a"].auroc == pytest.approx(3 / 4)
    # ranked 0.8 (a), 0.4, 0.3 (a), 0.1: precision 1 at the first, 2/3 at the second
    assert figures.ranking["a"].average_precision == pytest.approx((1 + 2 / 3) / 2)
    # b: 0.5, 0.2 against 0.1, 0.5: 0.5 beats 0.1 and ties with 0.5, 0.2 beats 0.1
    assert figures.ranking["b"].auroc == pytest.approx((1 + 0.5 + 1) / 4)


def test_a_class_without_clips_has_no_ranking_and_is_not_in_the_mean() -> None:
    figures = closed_set_figures([("a",), ("b",)], np.eye(3)[:2], CLASSES)
    assert figures.ranking["c"].auroc is None
    assert figures.ranking["c"].average_precision is None
    assert figures.macro.auroc == 1
    assert figures.macro.average_precision == 1


def test_a_class_that_every_clip_has_cannot_be_ranked() -> None:
    ranking = rank_figures([("a",), ("a",)], np.array([[0.9, 0.1, 0], [0.5, 0.4, 0.1]]), CLASSES)
    assert ranking["a"].auroc is None


def test_of_equal_probabilities_the_first_counts() -> None:
    assert best_classes(np.array([[0.4, 0.4, 0.2]]), CLASSES) == ["a"]


@pytest.mark.parametrize(
    "probabilities",
    [np.zeros((0, 3)), np.zeros((2, 2)), np.zeros(3), np.full((2, 3), np.nan)],
    ids=["no clips", "other width", "other rank", "not a number"],
)
def test_what_is_no_prediction_is_refused(probabilities: np.ndarray) -> None:
    with pytest.raises(TrainingError):
        closed_set_figures([("a",), ("b",)], probabilities, CLASSES)


def test_a_row_for_each_clip_is_asked_for() -> None:
    with pytest.raises(TrainingError, match="2 rows"):
        rank_figures([("a",)], np.eye(3)[:2], CLASSES)


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(TrainingError, match="no clips"):
        compare([], [])
