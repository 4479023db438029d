"""The loss of the tree: the negative logarithm of the combined score, for leaves and inner classes."""

from __future__ import annotations

import numpy as np
import pytest

from tidzam_platform.classifiers.training.losses import output_log_scores, output_matrix, tree_loss
from tidzam_platform.classifiers.tree.building import by_parent, flat
from tidzam_platform.classifiers.tree.scores import node_scores
from tidzam_platform.classifiers.tree.spec import TreeSpec

CLASSES = ("animal-bird-crow", "animal-bird-robin", "animal-frog", "human", "noise")
TREES = (by_parent(CLASSES), flat(CLASSES))


def probabilities(spec: TreeSpec, logits: np.ndarray) -> dict[str, np.ndarray]:
    found, start = {}, 0
    for expert in spec.experts:
        part = np.exp(logits[:, start : start + len(expert.outputs)])
        found[expert.name] = (part / part.sum(axis=1, keepdims=True)).astype(np.float32)
        start += len(expert.outputs)
    return found


@pytest.mark.parametrize("spec", TREES)
def test_scores_from_logits_are_those_that_the_exported_graph_computes(spec: TreeSpec) -> None:
    logits = np.random.default_rng(0).normal(size=(20, len(spec.outputs))).astype(np.float32)
    ours = np.exp(np.asarray(output_log_scores(spec, logits))) @ output_matrix(spec)
    np.testing.assert_allclose(ours, np.asarray(node_scores(spec, probabilities(spec, logits))), atol=1e-6)


@pytest.mark.parametrize("spec", TREES)
def test_without_smoothing_the_loss_is_minus_the_logarithm_of_the_score(spec: TreeSpec) -> None:
    random = np.random.default_rng(1)
    logits = random.normal(size=(len(spec.nodes), len(spec.outputs))).astype(np.float32)
    scores = np.asarray(node_scores(spec, probabilities(spec, logits)))
    loss = np.asarray(tree_loss(spec, smoothing=0.0, focal_gamma=0.0)(_each(spec), logits))
    np.testing.assert_allclose(loss, -np.log(np.diag(scores)), rtol=1e-4)


def _each(spec: TreeSpec) -> np.ndarray:
    """One target for each node."""
    return np.eye(len(spec.nodes), dtype=np.float32)


def test_a_clip_of_an_inner_class_moves_the_experts_above_it_alone() -> None:
    import tensorflow as tf

    spec = by_parent(CLASSES)
    target = np.zeros((1, len(spec.nodes)), np.float32)
    target[0, spec.nodes.index("animal-bird")] = 1
    logits = tf.Variable(np.random.default_rng(2).normal(size=(1, len(spec.outputs))).astype(np.float32))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tree_loss(spec, smoothing=0.0, focal_gamma=0.0)(target, logits))
    moved = dict(zip(spec.outputs, np.abs(tape.gradient(loss, logits).numpy()[0]), strict=True))
    assert moved["animal-bird-crow"] < 1e-6
    assert moved["animal-bird-robin"] < 1e-6
    assert moved["animal-bird"] > 1e-3
    assert moved["noise"] > 1e-3


def test_focal_loss_takes_less_notice_of_what_is_sure() -> None:
    spec = flat(CLASSES)
    logits = np.zeros((2, len(CLASSES)), np.float32)
    logits[0, 0], logits[1, 0] = 6.0, 1.0
    targets = np.zeros((2, len(spec.nodes)), np.float32)
    targets[:, spec.nodes.index(spec.experts[0].outputs[0])] = 1
    losses = [tree_loss(spec, smoothing=0.0, focal_gamma=gamma) for gamma in (0.0, 2.0)]
    plain, focal = (np.asarray(loss(targets, logits)) for loss in losses)
    assert focal[0] / plain[0] < 0.01 < focal[1] / plain[1] < 1
