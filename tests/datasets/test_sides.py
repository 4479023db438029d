"""Sides: every class that can be is in train and test, what was given stays, and no order matters."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tidzam_platform.datasets.sides import MIN_GROUPS_TO_SPLIT, plan_sides, unsplit_classes

CLASSES = st.sampled_from(["birds-robin", "birds-crow", "frogs", "rain", "noise"])
SINGLE_CLASS_GROUPS = st.dictionaries(
    st.text("abcdef0123456789", min_size=1, max_size=6),
    CLASSES.map(lambda name: frozenset({name})),
    max_size=40,
)
MANY_CLASS_GROUPS = st.dictionaries(
    st.text("abcdef0123456789", min_size=1, max_size=6),
    st.frozensets(CLASSES, min_size=1, max_size=3),
    max_size=40,
)


def classes_by_count(groups: dict[str, frozenset[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for group, classes in groups.items():
        for name in classes:
            found.setdefault(name, []).append(group)
    return found


@given(SINGLE_CLASS_GROUPS)
def test_each_class_with_three_groups_is_in_train_and_test_and_a_smaller_one_in_train_only(
    groups: dict[str, frozenset[str]],
) -> None:
    sides = plan_sides(groups, {})
    assert set(sides) == set(groups)
    for members in classes_by_count(groups).values():
        present = {sides[group] for group in members}
        if len(members) >= MIN_GROUPS_TO_SPLIT:
            assert {"train", "test"} <= present
        else:
            assert present == {"train"}
    assert all(
        reason.endswith(f"until it has {MIN_GROUPS_TO_SPLIT}")
        for reason in unsplit_classes(groups, sides).values()
    )


@given(MANY_CLASS_GROUPS, st.randoms(use_true_random=False))
def test_the_order_in_which_groups_came_does_not_matter(
    groups: dict[str, frozenset[str]], random: object
) -> None:
    shuffled = list(groups.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert plan_sides(dict(shuffled), {}) == plan_sides(groups, {})


@given(SINGLE_CLASS_GROUPS, SINGLE_CLASS_GROUPS)
@settings(max_examples=200)
def test_a_side_given_once_is_kept_while_the_dataset_grows(
    first: dict[str, frozenset[str]], later: dict[str, frozenset[str]]
) -> None:
    given_sides = plan_sides(first, {})
    grown = {**later, **first}
    planned = plan_sides(grown, given_sides)
    assert not set(planned) & set(given_sides)
    assert set(planned) | set(given_sides) == set(grown)
    sides = {**planned, **given_sides}
    for members in classes_by_count(grown).values():
        new = [group for group in members if group not in given_sides]
        if len(members) >= MIN_GROUPS_TO_SPLIT and new:
            assert {"train", "test"} <= {sides[group] for group in members}


@given(MANY_CLASS_GROUPS)
@settings(max_examples=300)
def test_a_class_that_could_not_be_split_is_named_with_the_reason(groups: dict[str, frozenset[str]]) -> None:
    sides = plan_sides(groups, {})
    reasons = unsplit_classes(groups, sides)
    for name, members in classes_by_count(groups).items():
        split = {"train", "test"} <= {sides[group] for group in members}
        assert split == (name not in reasons)


def test_about_a_fifth_of_the_groups_is_tested_and_less_is_validation() -> None:
    groups = {f"g{index}": frozenset({"rain"}) for index in range(40)}
    sides = list(plan_sides(groups, {}).values())
    assert (sides.count("test"), sides.count("validation"), sides.count("train")) == (8, 6, 26)
