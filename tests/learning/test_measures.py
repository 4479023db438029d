"""How unsure, how far apart, how rare: what the measures promise."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tidzam_platform.classifiers.tree.building import flat
from tidzam_platform.learning.measures import class_need, disagreement, leaf_scores, uncertainty

CLASSES = 4
_RAW = hnp.arrays(float, (6, CLASSES), elements=st.floats(0.001, 1.0))


@given(_RAW)
def test_scores_of_one_class_add_up_and_uncertainty_lies_between_0_and_1(raw: np.ndarray) -> None:
    spec = flat(["a", "b", "c", "d"])
    leaves = leaf_scores(raw, spec)
    np.testing.assert_allclose(leaves.sum(axis=1), 1)
    unsure = uncertainty(leaves)
    assert unsure.shape == (6,)
    assert ((unsure >= 0) & (unsure <= 1 + 1e-9)).all()


def test_the_sure_are_0_the_undecided_1_and_rivals_between() -> None:
    sure, rivals, undecided = uncertainty(
        np.array([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25]])
    )
    assert sure == 0
    assert undecided == 1
    assert 0.7 < rivals < 1


def test_of_several_classes_the_least_sure_one_counts() -> None:
    unsure = uncertainty(np.array([[0.99, 0.01, 0.5], [0.99, 0.01, 0.02]]), single=False)
    assert unsure[0] == 1
    assert unsure[1] < 0.2


@given(_RAW, _RAW)
def test_disagreement_lies_between_0_and_1_and_is_that_of_both_ways_round(
    one: np.ndarray, other: np.ndarray
) -> None:
    votes = [raw / raw.sum(axis=1, keepdims=True) for raw in (one, other)]
    found = disagreement(votes)
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_allclose(found, disagreement(votes[::-1]))
    np.testing.assert_allclose(disagreement([votes[0], votes[0]]), 0, atol=1e-12)


def test_opposites_disagree_wholly_and_one_alone_never() -> None:
    left, right = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    np.testing.assert_allclose(disagreement([left, right]), 1)
    np.testing.assert_allclose(disagreement([left, right], single=False), 1)
    assert disagreement([left]).tolist() == [0]


def test_the_rarest_class_needs_most_and_four_times_the_labels_half_as_much() -> None:
    need = class_need({"common": 15, "rare": 3}, ["common", "rare", "never"])
    np.testing.assert_allclose(need, [0.25, 0.5, 1.0])
