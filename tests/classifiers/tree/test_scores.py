"""Combined scores: the product along the chain, the sum below a class that no expert names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.classifiers.tree.made import FLAT_OF_THREE, label_sets, plain_score, trees
from tests.classifiers.tree.sums import node_weights
from tidzam_platform.classifiers.backend import load_keras, load_tensorflow
from tidzam_platform.classifiers.tree import ExpertSpec, TreeSpec, node_scores
from tidzam_platform.classifiers.tree.building import by_parent, flat
from tidzam_platform.errors import TreeError

ROWS = 3
BIRDS = TreeSpec(
    (
        ExpertSpec("selector", ("animal", "rain-heavy", "rain-light", "wind")),
        ExpertSpec("animal", ("animal-cat", "animal-bird")),
        ExpertSpec("animal-bird", ("animal-bird-crow", "animal-bird-song-robin")),
    )
)
seeds = st.integers(0, 2**32 - 1)


def probabilities(tree: TreeSpec, seed: int) -> dict[str, np.ndarray]:
    """Rows that sum to 1, from spread out to nearly sure, zeros included."""
    random = np.random.default_rng(seed)
    made = {}
    for expert in tree.experts:
        logits = random.normal(scale=random.choice([0.1, 3.0, 40.0]), size=(ROWS, len(expert.outputs)))
        exponentials = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float32))
        made[expert.name] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return made


def scores_by_node(tree: TreeSpec, given_: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    scores = np.asarray(node_scores(tree, given_))
    assert scores.shape == (ROWS, len(tree.nodes))
    assert scores.dtype == np.float32
    return dict(zip(tree.nodes, scores.T, strict=True))


def test_a_hand_calculation() -> None:
    scores = np.asarray(
        node_scores(
            BIRDS,
            {
                "selector": np.array([[0.5, 0.2, 0.2, 0.1]], np.float32),
                "animal": np.array([[0.2, 0.8]], np.float32),
                "animal-bird": np.array([[0.75, 0.25]], np.float32),
            },
        )
    )
    expected = {
        "animal": 0.5,
        "animal-bird": 0.4,
        "animal-bird-crow": 0.3,
        "animal-bird-song": 0.1,
        "animal-bird-song-robin": 0.1,
        "animal-cat": 0.1,
        "rain": 0.4,
        "rain-heavy": 0.2,
        "rain-light": 0.2,
        "wind": 0.1,
    }
    np.testing.assert_allclose(scores[0], [expected[node] for node in BIRDS.nodes], rtol=1e-6)


@settings(max_examples=50)
@given(trees(), seeds)
def test_scores_are_what_the_rules_tell(tree: TreeSpec, seed: int) -> None:
    given_ = probabilities(tree, seed)
    scores = np.asarray(node_scores(tree, given_))
    for row in range(ROWS):
        plain = {
            expert.name: dict(zip(expert.outputs, given_[expert.name][row].tolist(), strict=True))
            for expert in tree.experts
        }
        np.testing.assert_allclose(
            scores[row],
            [plain_score(tree, plain, node) for node in tree.nodes],
            rtol=1e-5,
            atol=1e-37,
        )


@settings(max_examples=50)
@given(trees(), seeds)
def test_what_an_expert_divides_sums_to_its_parents_score(tree: TreeSpec, seed: int) -> None:
    scores = scores_by_node(tree, probabilities(tree, seed))
    for expert in tree.experts:
        whole = scores[expert.name] if expert.name in scores else np.ones(ROWS)
        np.testing.assert_allclose(sum(scores[output] for output in expert.outputs), whole, atol=1e-6)


@settings(max_examples=50)
@given(trees(), seeds)
def test_no_child_scores_above_its_parent(tree: TreeSpec, seed: int) -> None:
    scores = scores_by_node(tree, probabilities(tree, seed))
    for node in tree.nodes:
        above = tree.parent_of(node)
        assert (scores[node] <= (1.0 if above is None else scores[above]) + 1e-6).all()
        assert (scores[node] >= 0).all()


@settings(max_examples=50)
@given(trees(), seeds)
def test_a_class_that_an_expert_names_never_scores_above_the_experts_class_by_even_a_bit(
    tree: TreeSpec, seed: int
) -> None:
    scores = scores_by_node(tree, probabilities(tree, seed))
    for expert in tree.experts[1:]:
        for output in expert.outputs:
            assert (scores[output] <= scores[expert.name]).all()


@settings(max_examples=50)
@given(label_sets, seeds)
def test_a_flat_tree_sums_what_lies_below(labels: set[str], seed: int) -> None:
    tree = flat(labels)
    given_ = probabilities(tree, seed)
    expected = given_["selector"] @ node_weights(tree.experts[0].outputs)
    np.testing.assert_allclose(np.asarray(node_scores(tree, given_)), expected, atol=1e-6)


def test_symbolic_tensors_and_tensors_of_a_graph_give_the_same() -> None:
    keras, tf = load_keras(), load_tensorflow()
    given_ = probabilities(BIRDS, 5)
    eager = np.asarray(node_scores(BIRDS, given_))
    inputs = {expert.name: keras.Input((len(expert.outputs),)) for expert in BIRDS.experts}
    model = keras.Model(list(inputs.values()), node_scores(BIRDS, inputs))
    np.testing.assert_array_equal(np.asarray(model([given_[name] for name in inputs])), eager)
    in_graph = tf.function(node_scores, autograph=False)(
        BIRDS, {name: tf.constant(rows) for name, rows in given_.items()}
    )
    np.testing.assert_array_equal(in_graph.numpy(), eager)


def test_the_graph_grows_with_the_depth_not_with_the_number_of_experts() -> None:
    tf = load_tensorflow()

    def operations(tree: TreeSpec) -> list[str]:
        empty = {
            expert.name: tf.TensorSpec([None, len(expert.outputs)], tf.float32) for expert in tree.experts
        }
        traced = tf.function(lambda rows: node_scores(tree, rows), autograph=False)
        kinds = [one.type for one in traced.get_concrete_function(empty).graph.get_operations()]
        return [kind for kind in kinds if kind in ("GatherV2", "MatMul", "Mul", "Sum")]

    few, many = (
        by_parent([f"c{parent}-d{child}" for parent in range(parents) for child in range(3)])
        for parents in (2, 20)
    )
    assert len(many.experts) == 21
    assert operations(few) == operations(many) == ["GatherV2", "GatherV2", "Mul"]


def test_experts_that_are_missing_or_of_another_width_are_named() -> None:
    fine = probabilities(BIRDS, 1)
    with pytest.raises(TreeError, match="animal-bird"):
        node_scores(BIRDS, {name: rows for name, rows in fine.items() if name != "animal-bird"})
    with pytest.raises(TreeError, match="selector"):
        node_scores(FLAT_OF_THREE, fine)
    with pytest.raises(TreeError, match=r"'animal'.*\[batch, 2\]"):
        node_scores(BIRDS, fine | {"animal": np.ones((ROWS, 3), np.float32)})
