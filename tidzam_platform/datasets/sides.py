"""Sides (train, validation, test) by group: deterministic, and a side given once is kept for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, Literal

Side = Literal["train", "validation", "test"]

TEST_SHARE: Final = 0.2  # of a class's groups
VALIDATION_SHARE: Final = 0.15
MIN_GROUPS_TO_SPLIT: Final = 3  # a class with fewer stays in train
MIN_GROUPS_TO_VALIDATE: Final = 4  # with three, both groups outside test are worth more in train


def plan_sides(classes_of_group: Mapping[str, frozenset[str]], given: Mapping[str, Side]) -> dict[str, Side]:
    """Sides for the groups that have none.

    Every class with at least three groups gets at least one group in test and one in train, as far as sides given
    before allow it (:func:`unsplit_classes` names the rest). The result depends on the names of the groups and on
    ``given`` alone, not on any order.

    Args:
        classes_of_group: group -> the classes present in its clips.
        given: sides of groups that have one; never changed.

    Returns:
        group -> side, for each group of ``classes_of_group`` that is not in ``given``.
    """
    groups_of_class: dict[str, list[str]] = {}
    for group in sorted(classes_of_group, key=_draw):
        for name in classes_of_group[group]:
            groups_of_class.setdefault(name, []).append(group)
    sides: dict[str, Side] = {group: side for group, side in given.items() if group in classes_of_group}

    def free(name: str) -> list[str]:
        return [group for group in groups_of_class[name] if group not in sides]

    def count(name: str, side: Side) -> int:
        return sum(sides.get(group) == side for group in groups_of_class[name])

    def spares(group: str, side: Side) -> bool:
        """Whether each class of the group could still reach the other of train and test if it went to ``side``."""
        for name in classes_of_group[group]:
            if len(groups_of_class[name]) < MIN_GROUPS_TO_SPLIT:
                if side != "train":
                    return False
                continue
            # the group itself serves train only if it goes there
            others_free = len(free(name)) - 1
            lacks_train = count(name, "train") == 0 and side != "train"
            lacks_test = count(name, "test") == 0 and side != "test"
            if others_free < lacks_train + lacks_test:
                return False
        return True

    def fill(name: str, side: Side, wanted: int) -> None:
        for group in free(name):
            if count(name, side) >= wanted:
                return
            if spares(group, side):
                sides[group] = side

    rarest_first = sorted(groups_of_class, key=lambda name: (len(groups_of_class[name]), name))
    for name in rarest_first:
        total = len(groups_of_class[name])
        if total >= MIN_GROUPS_TO_SPLIT:
            fill(name, "test", max(1, round(TEST_SHARE * total)))
        if total >= MIN_GROUPS_TO_VALIDATE:
            fill(name, "validation", max(1, round(VALIDATION_SHARE * total)))
        for group in free(name):
            sides[group] = "train"
    return {group: side for group, side in sides.items() if group not in given}


def unsplit_classes(
    classes_of_group: Mapping[str, frozenset[str]], sides: Mapping[str, Side]
) -> dict[str, str]:
    """Classes that are missing on the test or the train side, each with the reason in words."""
    reasons = {}
    for name in sorted({name for classes in classes_of_group.values() for name in classes}):
        groups = [group for group, classes in classes_of_group.items() if name in classes]
        present = {sides[group] for group in groups}
        if len(groups) < MIN_GROUPS_TO_SPLIT:
            reasons[name] = f"{len(groups)} group(s): stays in train until it has {MIN_GROUPS_TO_SPLIT}"
        elif not {"train", "test"} <= present:
            lacking = " and ".join(sorted({"train", "test"} - present))
            reasons[name] = (
                f"no group in {lacking}: the sides of its groups were given before; label new groups"
            )
    return reasons


def _draw(group: str) -> str:
    """A group's place in the draw: as good as random, the same on every machine and for ever."""
    return hashlib.sha256(group.encode()).hexdigest()
