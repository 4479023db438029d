"""Folds never split a group, and every clip is predicted exactly once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.classifiers.evaluation.untimed import untimed
from tidzam_platform.classifiers.evaluation.folds import OutOfFold, grouped_folds
from tidzam_platform.errors import TrainingError


def made_clips(groups_per_class: int, clips_per_group: int) -> tuple[list[str], list[str]]:
    clips = [
        (label, f"{label}-{group}")
        for label in ("bird", "cat", "dog")
        for group in range(groups_per_class)
        for _ in range(clips_per_group)
    ]
    return [label for label, _ in clips], [group for _, group in clips]


@untimed
@given(st.integers(4, 9), st.integers(1, 4), st.integers(2, 4), st.integers(0, 5))
def test_a_group_lies_in_one_fold_and_each_class_is_tested_in_each(
    groups_per_class: int, clips_per_group: int, folds: int, seed: int
) -> None:
    labels, groups = made_clips(groups_per_class, clips_per_group)
    fold_of = grouped_folds(labels, groups, folds=folds, seed=seed)
    assert set(fold_of.tolist()) == set(range(folds))
    for group in set(groups):
        assert len({int(fold_of[clip]) for clip, name in enumerate(groups) if name == group}) == 1
    for label in set(labels):
        tested = {int(fold_of[clip]) for clip, name in enumerate(labels) if name == label}
        assert len(tested) >= 2, "so that each class is trained on in every fold"


@untimed
@given(st.randoms(), st.integers(0, 5))
def test_a_group_keeps_its_fold_in_any_order_of_the_clips(random, seed: int) -> None:
    labels, groups = made_clips(5, 2)
    order = random.sample(range(len(labels)), len(labels))
    straight = grouped_folds(labels, groups, folds=3, seed=seed)
    shuffled = grouped_folds([labels[i] for i in order], [groups[i] for i in order], folds=3, seed=seed)
    assert [int(straight[i]) for i in order] == shuffled.tolist()


def test_another_seed_gives_other_folds() -> None:
    labels, groups = made_clips(8, 1)
    assert len({tuple(grouped_folds(labels, groups, folds=3, seed=seed).tolist()) for seed in range(4)}) > 1


def test_a_class_that_no_other_fold_could_train_is_refused() -> None:
    labels, groups = made_clips(6, 2)
    with pytest.raises(TrainingError, match="owl"):
        grouped_folds([*labels, "owl", "owl"], [*groups, "owl-0", "owl-0"], folds=3)


@pytest.mark.parametrize("folds", [1, 19])
def test_there_are_at_least_two_folds_and_a_group_for_each(folds: int) -> None:
    labels, groups = made_clips(6, 2)
    with pytest.raises(TrainingError, match="folds"):
        grouped_folds(labels, groups, folds=folds)


def test_too_few_clips_for_the_folds_and_missing_groups_are_refused() -> None:
    with pytest.raises(TrainingError, match="fewer folds"):
        grouped_folds(["a", "b", "c", "a"], ["1", "2", "3", "4"], folds=4)
    with pytest.raises(TrainingError, match="one group a clip"):
        grouped_folds(["a", "b"], ["1"], folds=2)


def test_predictions_of_all_folds_come_back_in_the_order_of_the_clips() -> None:
    pooled = OutOfFold(4, 2)
    pooled.add(np.array([3, 0]), np.array([[0.3, 0.7], [0.0, 1.0]], np.float32))
    with pytest.raises(TrainingError, match="2 clips have no prediction, the first is 1"):
        pooled.pooled()
    pooled.add(np.array([1, 2]), np.array([[0.1, 0.9], [0.2, 0.8]], np.float32))
    np.testing.assert_allclose(pooled.pooled()[:, 0], [0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("clips", "rows", "complaint"),
    [
        ([0], [[0.5, 0.5]], "clip 0 is predicted twice"),
        ([1, 1], [[0.5, 0.5], [0.1, 0.9]], "clip 1 is predicted twice"),
        ([4], [[0.5, 0.5]], "numbered from 0 to 2"),
        ([-1], [[0.5, 0.5]], "numbered from 0 to 2"),
        ([1], [[0.5]], r"are \[1, 2\]"),
        ([1, 2], [[0.5, 0.5]], r"are \[2, 2\]"),
    ],
)
def test_what_does_not_fit_is_refused(clips: list[int], rows: list[list[float]], complaint: str) -> None:
    pooled = OutOfFold(3, 2)
    pooled.add(np.array([0]), np.array([[1.0, 0.0]], np.float32))
    with pytest.raises(TrainingError, match=complaint):
        pooled.add(np.array(clips), np.array(rows, np.float32))
