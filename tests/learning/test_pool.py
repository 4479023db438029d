"""Pools with a known truth: sides, first labels, random labels."""

from __future__ import annotations

import numpy as np
import pytest

from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.errors import TrainingError
from tidzam_platform.learning.pool import Pool, random_labels, sides_of_groups, start_labels


def clip(name: str, group: str) -> ClipFeatures:
    return ClipFeatures(f"{group}", np.zeros((97, 64), np.float32), (0,), (name,), group, "train")


def pool_of(classes: int, groups: int, clips: int) -> Pool:
    made = [
        clip(f"class{one}", f"{one}/{group}")
        for one in range(classes)
        for group in range(groups)
        for _ in range(clips)
    ]
    return Pool.of(made, [])


def test_one_group_in_five_of_each_class_validates_and_no_group_is_split() -> None:
    sides = sides_of_groups(
        [(f"{one}/{group}", f"class{one}") for one in range(2) for group in range(10)] * 2
    )
    for one in range(2):
        assert [sides[f"{one}/{group}"] for group in range(10)].count("validation") == 2
    pool = pool_of(3, 6, 2)
    assert {side: sum(clip.side == side for clip in pool.clips) for side in ("train", "validation")} == {
        "train": 30,
        "validation": 6,
    }


def test_the_start_has_as_many_of_each_class_one_to_validate_on_from_different_groups() -> None:
    pool = pool_of(3, 10, 4)
    for seed in range(5):
        chosen = pool.labelled(start_labels(pool, 5, seed))
        for one in range(3):
            mine = [clip for clip in chosen if clip.class_paths == (f"class{one}",)]
            assert [clip.side for clip in mine].count("validation") == 1
            assert len(mine) == len({clip.group for clip in mine}) == 5
    assert start_labels(pool, 5, 1) == start_labels(pool, 5, 1) != start_labels(pool, 5, 2)


def test_a_class_with_few_clips_gives_what_it_has() -> None:
    pool = Pool.of([clip("rare", "a"), *(clip("common", f"b{n}") for n in range(9))], [])
    assert len(start_labels(pool, 5, 1)) == 1 + 5


def test_a_class_without_a_group_to_validate_on_trains_on_all_its_labels() -> None:
    pool = pool_of(2, 4, 2)
    assert all(clip.side == "train" for clip in pool.labelled(start_labels(pool, 5, 1)))
    assert len(start_labels(pool, 5, 1)) == 10


def test_one_label_a_class_cannot_train_and_validate() -> None:
    with pytest.raises(TrainingError, match="2 or more"):
        start_labels(pool_of(2, 5, 1), 1, 1)


def test_random_labels_are_new_and_each_clip_is_as_likely() -> None:
    pool = pool_of(2, 10, 2)
    known = [0, 1, 2]
    drawn = [index for seed in range(400) for index in random_labels(pool, known, 5, seed)]
    counts = np.bincount(drawn, minlength=40)
    assert counts[:3].tolist() == [0, 0, 0]
    assert counts[3:].min() > 25, "of 54 expected"
    assert counts[3:].max() < 90
    assert random_labels(pool, known, 100, 1) != random_labels(pool, known, 100, 2)
    assert sorted(random_labels(pool, known, 100, 1)) == list(range(3, 40))
