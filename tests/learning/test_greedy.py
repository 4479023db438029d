"""Choosing one after the other: no near-duplicates, rare classes first, the same order every time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.learning.greedy import Choice, choose

CLASSES = ["common", "rare"]


def chosen(
    embeddings: list[list[float]],
    leaves: list[list[float]],
    count: int,
    *,
    information: list[float] | None = None,
    labelled: list[list[float]] | None = None,
    counts: dict[str, float] | None = None,
) -> list[int]:
    picked = choose(
        np.array(information or [1.0] * len(embeddings)),
        np.array(leaves),
        np.array(embeddings, float),
        CLASSES,
        labelled=np.array(labelled, float) if labelled else np.zeros((0, len(embeddings[0]))),
        counts=counts or {},
        count=count,
    )
    return [one.index for one in picked]


def test_of_near_duplicates_one_is_chosen_before_any_second() -> None:
    places = [[1.0, 0.01], [1.0, 0.0], [1.0, -0.01], [-1.0, 0.5], [-1.0, 0.51]]
    first, second = chosen(places, [[0.5, 0.5]] * 5, 2)
    assert {first < 3, second < 3} == {True, False}


def test_what_is_near_a_labelled_clip_comes_last() -> None:
    assert chosen([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5]] * 2, 1, labelled=[[1.0, 0.02]]) == [1]


def test_a_rare_class_comes_before_a_common_one() -> None:
    places = [[1.0, 0.0], [0.0, 1.0]]
    counts = {"common": 80.0, "rare": 2.0}
    assert chosen(places, [[0.9, 0.1], [0.1, 0.9]], 2, counts=counts) == [1, 0]


def test_the_surest_comes_last() -> None:
    assert chosen([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5]] * 2, 2, information=[0.1, 0.9]) == [1, 0]


def test_nothing_to_choose_from_gives_nothing() -> None:
    assert (
        choose(
            np.zeros(0),
            np.zeros((0, 2)),
            np.zeros((0, 3)),
            CLASSES,
            labelled=np.zeros((0, 3)),
            counts={},
            count=5,
        )
        == []
    )


@given(st.integers(1, 30), st.integers(0, 40), st.integers(0, 5))
def test_each_clip_once_the_same_order_every_time_and_all_parts_between_0_and_1(
    clips: int, count: int, labelled: int
) -> None:
    random = np.random.default_rng(clips)

    def pick() -> list[Choice]:
        return choose(
            information,
            leaves,
            embeddings,
            CLASSES,
            labelled=embeddings[:labelled],
            counts={"common": 3.0},
            count=count,
        )

    information, leaves = random.random(clips), random.dirichlet([1, 1], clips)
    embeddings = random.standard_normal((clips, 4))
    picked = pick()
    assert len({one.index for one in picked}) == len(picked) == min(clips, count)
    assert picked == pick()
    for one in picked:
        assert all(-1e-9 <= part <= 1 + 1e-9 for part in (one.need, one.novelty, one.value))
