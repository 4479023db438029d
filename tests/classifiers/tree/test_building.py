"""Trees drawn from class paths: flat, or an expert for each class with several below it."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.classifiers.tree.made import label_sets, leaves_of
from tidzam_platform.classifiers.tree.building import by_parent, flat
from tidzam_platform.errors import TreeError
from tidzam_platform.labels.class_paths import is_within, parent

FIELD = ["animal-bird", "animal-cat", "human-baby_cry", "human-baby_laugh", "no_signal-silence", "noise"]


def experts(tree: object) -> dict[str, tuple[str, ...]]:
    return {expert.name: expert.outputs for expert in tree.experts}


def test_one_selector_over_all_leaves() -> None:
    assert experts(flat(reversed(FIELD))) == {"selector": tuple(FIELD)}


def test_an_expert_for_each_class_with_several_below_it_and_a_single_child_is_handed_up() -> None:
    assert experts(by_parent(FIELD)) == {
        "selector": ("animal", "human", "no_signal-silence", "noise"),
        "animal": ("animal-bird", "animal-cat"),
        "human": ("human-baby_cry", "human-baby_laugh"),
    }


def test_single_children_are_handed_up_over_several_levels() -> None:
    assert experts(by_parent(["a-b-c-d", "a-b-c-e", "f-g-h"])) == {
        "selector": ("a-b-c", "f-g-h"),
        "a-b-c": ("a-b-c-d", "a-b-c-e"),
    }


def test_what_all_classes_share_is_not_asked() -> None:
    assert experts(by_parent(["a-b-x", "a-b-y"])) == {"selector": ("a-b-x", "a-b-y")}


def test_a_label_on_an_inner_class_trains_the_experts_above_only() -> None:
    for made in (by_parent([*FIELD, "animal"]), by_parent(FIELD)):
        assert made == by_parent(FIELD)
        assert made.path_to("animal") == [("selector", 0)]
    assert flat([*FIELD, "animal"]) == flat(FIELD)
    assert flat(FIELD).path_to("animal") == []


def test_a_class_that_is_not_divided_keeps_its_place_before_a_single_child() -> None:
    labels = ["frog", "frog-croak", "rain", "wind-storm"]
    assert experts(by_parent(labels)) == {"selector": ("frog-croak", "rain", "wind-storm")}
    kept = by_parent(labels, undivided={"frog"})
    assert experts(kept) == {"selector": ("frog", "rain", "wind-storm")}
    assert kept.covers("frog-croak") == "frog"
    assert kept.path_to("frog") == [("selector", 0)]


def test_a_class_that_is_not_divided_takes_over_the_experts_of_its_only_child() -> None:
    labels = ["animal", "animal-bird-crow", "animal-bird-robin", "rain"]
    assert experts(by_parent(labels)) == {
        "selector": ("animal-bird", "rain"),
        "animal-bird": ("animal-bird-crow", "animal-bird-robin"),
    }
    kept = by_parent(labels, undivided={"animal"})
    assert experts(kept) == {
        "selector": ("animal", "rain"),
        "animal": ("animal-bird-crow", "animal-bird-robin"),
    }
    assert kept.path_to("animal") == kept.path_to("animal-bird") == [("selector", 0)]


def test_not_divided_means_nothing_where_there_are_several_children() -> None:
    assert by_parent(FIELD, undivided=set(FIELD) | {"animal", "human"}) == by_parent(FIELD)


@pytest.mark.parametrize("build", [flat, by_parent])
@pytest.mark.parametrize("paths", [[], ["a"], ["a", "a-b", "a-b-c"], ["a-b", "a-b"]])
def test_a_single_class_is_no_choice(build: object, paths: list[str]) -> None:
    with pytest.raises(TreeError, match="at least 2 classes"):
        build(iter(paths))


@pytest.mark.parametrize("build", [flat, by_parent])
def test_a_wrong_class_path_is_named(build: object) -> None:
    with pytest.raises(TreeError, match="'Bird'"):
        build(["Bird", "rain"])


@given(label_sets)
def test_both_trees_tell_the_same_leaves_and_nodes(labels: set[str]) -> None:
    assert set(flat(labels).leaves) == set(by_parent(labels).leaves) == leaves_of(labels)
    assert flat(labels).nodes == by_parent(labels).nodes


@given(label_sets)
def test_every_expert_divides_its_class_among_all_its_children(labels: set[str]) -> None:
    tree = by_parent(labels)
    for expert in tree.experts[1:]:
        children = [node for node in tree.nodes if parent(node) == expert.name]
        assert len(children) == len(expert.outputs) > 1


@given(label_sets)
def test_every_label_finds_its_node_even_with_classes_that_are_not_divided(labels: set[str]) -> None:
    for tree in (by_parent(labels), by_parent(labels, undivided=labels)):
        covered = {label: tree.covers(label) for label in labels}
        assert all(node is not None for node in covered.values())
        assert {covered[leaf] for leaf in leaves_of(labels)} == set(tree.leaves)


@given(label_sets)
def test_a_class_that_is_not_divided_trains_an_output_unless_all_classes_lie_below_it(
    labels: set[str],
) -> None:
    tree = by_parent(labels, undivided=labels)
    for label in labels:
        everything = all(is_within(other, label) for other in labels)
        assert bool(tree.path_to(tree.covers(label))) != everything
