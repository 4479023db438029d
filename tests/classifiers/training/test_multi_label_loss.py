"""The loss of trees of several labels: against plain numpy, and whom it moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.classifiers.training.test_targets import CLASSES, MULTI, told
from tests.classifiers.tree.made import trees
from tidzam_platform.classifiers.training.losses import tree_loss
from tidzam_platform.classifiers.training.validation import node_scores
from tidzam_platform.classifiers.tree.building import flat
from tidzam_platform.classifiers.tree.spec import TreeSpec

FLAT = replace(flat(CLASSES), labels="multi")


def logits_of(spec: TreeSpec, rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=2, size=(rows, len(spec.outputs))).astype(np.float32)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


@pytest.mark.parametrize(("smoothing", "gamma"), [(0.0, 0.0), (0.1, 0.0), (0.0, 2.0), (0.1, 1.5)])
def test_it_is_the_binary_cross_entropy_of_the_outputs_that_count(smoothing: float, gamma: float) -> None:
    logits = logits_of(MULTI, 1)
    (p,) = sigmoid(logits)
    # animal, rain | animal-bird, animal-frog | the birds do not count
    expected = 0.0
    for column, truth in enumerate([1, 1, 0, 1]):
        there = (1 - p[column]) ** gamma * -np.log(p[column])
        away = p[column] ** gamma * -np.log(1 - p[column])
        target = truth * (1 - smoothing) + smoothing / 2
        expected += target * there + (1 - target) * away
    loss = tree_loss(MULTI, smoothing=smoothing, focal_gamma=gamma)
    np.testing.assert_allclose(loss(told(MULTI, ["animal-frog", "rain"]), logits), [expected], rtol=1e-5)


def test_without_smoothing_it_is_minus_the_logarithm_of_the_probability_of_all_leaves() -> None:
    logits = logits_of(MULTI, 1)
    animal, rain, bird, frog, crow, robin = sigmoid(logits)[0]
    likelihood = animal * (1 - rain) * bird * frog * (1 - crow) * robin
    loss = tree_loss(MULTI, smoothing=0.0, focal_gamma=0.0)
    found = loss(told(MULTI, ["animal-bird-robin", "animal-frog"]), logits)
    np.testing.assert_allclose(found, [-np.log(likelihood)], rtol=1e-5)


def moved(spec: TreeSpec, labels: list[str]) -> dict[str, float]:
    """Gradient of the loss at the logit of each output: below 0 where it is to rise."""
    import tensorflow as tf

    logits = tf.Variable(logits_of(spec, 1))
    with tf.GradientTape() as tape:
        loss = tree_loss(spec, smoothing=0.05, focal_gamma=0.0)(told(spec, labels), logits)
    gradient = tf.convert_to_tensor(tape.gradient(loss, logits)).numpy()[0]
    return dict(zip(spec.outputs, gradient.tolist(), strict=True))


@pytest.mark.parametrize(
    ("labels", "rise", "fall"),
    [
        (["rain"], {"rain"}, {"animal"}),
        (["animal"], {"animal"}, {"rain"}),
        (["animal-frog", "rain"], {"animal", "rain", "animal-frog"}, {"animal-bird"}),
        (["animal-bird"], {"animal", "animal-bird"}, {"rain", "animal-frog"}),
        (
            ["animal-bird-crow", "animal-bird-robin"],
            {"animal", "animal-bird", "animal-bird-crow", "animal-bird-robin"},
            {"rain", "animal-frog"},
        ),
    ],
)
def test_gradients_reach_only_the_experts_whose_class_sounds(
    labels: list[str], rise: set[str], fall: set[str]
) -> None:
    gradient = moved(MULTI, labels)
    assert {name for name, value in gradient.items() if value < 0} == rise
    assert {name for name, value in gradient.items() if value > 0} == fall


def test_of_a_label_that_is_no_output_the_likeliest_class_below_rises_and_no_other_falls() -> None:
    gradient = moved(FLAT, ["animal-bird"])
    birds = {name: gradient[name] for name in FLAT.outputs if "bird" in name}
    likeliest = max(birds, key=dict(zip(FLAT.outputs, logits_of(FLAT, 1)[0], strict=True)).__getitem__)
    assert {name for name, value in gradient.items() if value < 0} == {likeliest}
    assert {name for name, value in gradient.items() if value > 0} == {"animal-frog", "rain"}
    known = moved(FLAT, ["animal-bird", "animal-bird-crow"])
    assert known == moved(FLAT, ["animal-bird-crow"]), "the deeper label says it all"


@settings(max_examples=25)
@given(trees(), st.data(), st.sampled_from([(0.0, 0.0), (0.1, 2.0)]))
def test_the_loss_of_a_mixed_clip_is_the_mean_of_its_parts_by_their_shares(
    tree: TreeSpec, data: st.DataObject, how: tuple[float, float]
) -> None:
    spec = replace(tree, labels="multi")
    labels = st.lists(st.sampled_from(spec.nodes), min_size=1, max_size=3, unique=True)
    targets = told(spec, data.draw(labels), data.draw(labels))
    share = data.draw(st.floats(0, 1, width=16))
    loss = tree_loss(spec, smoothing=how[0], focal_gamma=how[1])
    logits = logits_of(spec, 1, seed=3)
    first, second = np.asarray(loss(targets, np.repeat(logits, 2, axis=0)))
    mixed = (share * targets[:1] + (1 - share) * targets[1:]).astype(np.float32)
    np.testing.assert_allclose(
        loss(mixed, logits), [share * first + (1 - share) * second], rtol=1e-4, atol=1e-5
    )


def test_scores_by_which_training_stops_are_products_of_sigmoids() -> None:
    logits = logits_of(MULTI, 4)
    animal, rain, bird, frog, crow, robin = sigmoid(logits).T
    expected = [animal, animal * bird, animal * bird * crow, animal * bird * robin, animal * frog, rain]
    np.testing.assert_allclose(node_scores(MULTI, logits), np.stack(expected, axis=1), rtol=1e-5)
