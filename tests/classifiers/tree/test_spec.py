"""A tree holds together, or says which expert and which class do not; a chain of decisions leads to each class."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from tests.classifiers.tree.made import FLAT_OF_THREE, trees
from tests.classifiers.tree.sums import nodes_of
from tidzam_platform.classifiers.tree import ExpertSpec, TreeSpec
from tidzam_platform.errors import TreeError
from tidzam_platform.labels.class_paths import is_within, parent

SELECTOR = ExpertSpec("selector", ("animal", "human", "rain-heavy", "rain-light"))
ANIMAL = ExpertSpec("animal", ("animal-cat", "animal-bird"), trunk="own", architecture="resnet")
BIRD = ExpertSpec("animal-bird", ("animal-bird-crow", "animal-bird-song-robin"))
TREE = TreeSpec((SELECTOR, ANIMAL, BIRD))


def test_nodes_are_the_outputs_and_all_above_them_ascending() -> None:
    assert TREE.nodes == (
        "animal",
        "animal-bird",
        "animal-bird-crow",
        "animal-bird-song",
        "animal-bird-song-robin",
        "animal-cat",
        "human",
        "rain",
        "rain-heavy",
        "rain-light",
    )
    assert TREE.leaves == (
        "animal-bird-crow",
        "animal-bird-song-robin",
        "animal-cat",
        "human",
        "rain-heavy",
        "rain-light",
    )


def test_a_chain_of_decisions_leads_to_each_leaf() -> None:
    assert TREE.path_to("human") == [("selector", 1)]
    assert TREE.path_to("animal-bird-crow") == [("selector", 0), ("animal", 1), ("animal-bird", 0)]


def test_a_label_on_an_inner_class_says_nothing_of_the_experts_below() -> None:
    assert TREE.path_to("animal") == [("selector", 0)]
    assert TREE.path_to("animal-bird-song") == [("selector", 0), ("animal", 1)]
    assert TREE.path_to("rain") == []


def test_each_node_has_an_expert_that_decides_on_it() -> None:
    deciders = {node: TREE.expert_of(node).name for node in TREE.nodes}
    assert deciders["animal"] == deciders["rain"] == deciders["rain-light"] == "selector"
    assert deciders["animal-bird"] == deciders["animal-cat"] == "animal"
    assert deciders["animal-bird-song"] == deciders["animal-bird-crow"] == "animal-bird"


def test_a_label_is_covered_by_the_deepest_node_above_it() -> None:
    assert TREE.covers("animal-bird-crow-juvenile") == "animal-bird-crow"
    assert TREE.covers("animal-dog") == "animal"
    assert TREE.covers("human") == "human"
    assert TREE.covers("humanoid") is None
    assert TREE.covers("car") is None


def test_what_the_tree_does_not_have_is_an_error() -> None:
    for ask in (TREE.path_to, TREE.parent_of, TREE.expert_of):
        with pytest.raises(TreeError, match="'car'"):
            ask("car")
    with pytest.raises(TreeError, match=r"'car'.*selector, animal, animal-bird"):
        TREE.expert("car")
    assert TREE.expert("animal") is ANIMAL


@pytest.mark.parametrize(
    ("experts", "names"),
    [
        ((), ["'selector'", "none"]),
        ((ExpertSpec("animal", ("animal-cat", "animal-dog")),), ["'selector'", "'animal'"]),
        ((SELECTOR, ExpertSpec("car", ("car-horn", "car-engine"))), ["'car'", "no expert has the output"]),
        ((SELECTOR, BIRD, ANIMAL), ["'animal-bird'", "must follow expert 'animal'"]),
        ((SELECTOR, ANIMAL, ANIMAL), ["two experts", "'animal'"]),
        ((SELECTOR, SELECTOR), ["two experts", "'selector'"]),
        ((SELECTOR, ExpertSpec("animal", ("animal-cat", "human-cry"))), ["'animal'", "'human-cry'"]),
        ((SELECTOR, ExpertSpec("animal", ("animal-cat", "animals-dog"))), ["'animal'", "'animals-dog'"]),
    ],
)
def test_experts_that_do_not_fit_together_are_named(
    experts: tuple[ExpertSpec, ...], names: list[str]
) -> None:
    with pytest.raises(TreeError) as refused:
        TreeSpec(experts)
    for name in names:
        assert name in str(refused.value)


def test_a_class_is_an_output_of_one_expert_only() -> None:
    wide = ExpertSpec("animal", ("animal-cat", "animal-bird-crow", "animal-bird-song-robin"))
    assert TreeSpec((SELECTOR, wide)).path_to("animal-bird-crow") == [("selector", 0), ("animal", 1)]
    with pytest.raises(TreeError, match=r"'animal-bird'.*divides no class"):
        TreeSpec((SELECTOR, wide, BIRD))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"outputs": ("animal-cat",)}, "at least 2"),
        ({"outputs": ()}, "at least 2"),
        ({"outputs": ("animal-cat", "animal-cat")}, "'animal-cat' twice"),
        ({"outputs": ("animal-bird", "animal-bird-crow")}, "'animal-bird-crow' and also 'animal-bird'"),
        ({"outputs": ("animal-Cat", "animal-dog")}, "'animal-Cat' is no class path"),
        ({"name": "Animals"}, "'Animals' is no class path"),
        ({"trunk": "borrowed"}, "'shared' or 'own'"),
        ({"architecture": "resnet"}, "trunk 'own'"),
        ({"architecture": "../x", "trunk": "own"}, "architecture"),
        ({"head": ""}, "head"),
    ],
)
def test_an_expert_that_makes_no_sense_says_why(arguments: dict, says: str) -> None:
    with pytest.raises(TreeError) as refused:
        ExpertSpec(**{"name": "animal", "outputs": ("animal-cat", "animal-dog"), **arguments})
    assert says in str(refused.value)
    assert repr(arguments.get("name", "animal")) in str(refused.value)


def test_the_selector_may_name_the_architecture_of_the_shared_trunk() -> None:
    assert ExpertSpec("selector", ("a", "b"), architecture="compact").trunk == "shared"


@given(trees())
def test_a_tree_survives_json(tree: TreeSpec) -> None:
    assert TreeSpec.from_dict(json.loads(json.dumps(tree.to_dict()))) == tree


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([], "'experts'"),
        ({"experts": 3}, "'experts'"),
        ({"experts": [{"outputs": ["a", "b"]}]}, "experts[0]"),
        ({"experts": [{"name": "selector"}]}, "experts[0] has no outputs"),
        ({"experts": [{"name": "selector", "outputs": "ab"}]}, "experts[0].outputs"),
        ({"experts": [{"name": "selector", "outputs": ["a", 1]}]}, "experts[0].outputs"),
        ({"experts": [{"name": "selector", "outputs": ["a", "b"], "head": 1}]}, "experts[0].head"),
        ({"experts": [{"name": "selector", "outputs": ["a", "b"], "depth": 1}]}, "experts[0].depth"),
        ({"experts": [{"name": "selector", "outputs": ["a", "a"]}]}, "experts[0]: expert 'selector'"),
    ],
)
def test_json_of_another_form_is_refused_with_the_place(values: object, says: str) -> None:
    with pytest.raises(TreeError) as refused:
        TreeSpec.from_dict(values)
    assert says in str(refused.value)


@given(trees())
def test_every_node_hangs_in_the_tree(tree: TreeSpec) -> None:
    assert list(tree.nodes) == nodes_of([output for expert in tree.experts for output in expert.outputs])
    assert set(tree.leaves) == {
        node for node in tree.nodes if not any(parent(other) == node for other in tree.nodes)
    }
    for node in tree.nodes:
        above = tree.parent_of(node)
        assert above is None or above in tree.nodes
        assert tree.covers(node) == node
        assert tree.covers(f"{node}-unheard_of") == node
        expert = tree.expert_of(node)
        assert node in expert.outputs or any(is_within(output, node) for output in expert.outputs)


@given(trees())
def test_chains_lead_from_the_selector_from_class_to_expert(tree: TreeSpec) -> None:
    for leaf in tree.leaves:
        chain = tree.path_to(leaf)
        taken = [tree.expert(name).outputs[index] for name, index in chain]
        assert [name for name, _ in chain] == ["selector", *taken[:-1]]
        assert taken[-1] == leaf


def test_a_flat_tree_is_a_selector_alone() -> None:
    assert [expert.name for expert in FLAT_OF_THREE.experts] == ["selector"]
    assert FLAT_OF_THREE.nodes == ("animal", "animal-bird", "animal-cat", "rain")
