"""A tree of several labels as a SavedModel: its scores are those that numpy computes, at any depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from serving.companion import write_companion
from serving.export import export_saved_model
from serving.local import LocalModel
from serving.tree_model import describe_tree
from tests.classifiers.training.conftest import TINY
from tidzam_platform.audio import Window
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.network import build_network
from tidzam_platform.classifiers.trained_tree import Head, TrainedTree
from tidzam_platform.classifiers.tree import ExpertSpec, TreeSpec

SPEC = TreeSpec(
    (
        ExpertSpec("selector", ("animal", "rain-heavy", "rain-light")),
        ExpertSpec("animal", ("animal-bird", "animal-cat")),
        ExpertSpec("animal-bird", ("animal-bird-crow", "animal-bird-song-robin", "animal-bird-song-wren")),
    ),
    "multi",
)
TEMPERATURES = {"selector": 1.0, "animal": 1.7, "animal-bird": 0.6}


@pytest.fixture(scope="module")
def tree() -> TrainedTree:
    """Drawn weights, with heads that are sure of this and doubt that."""
    load_keras().utils.set_random_seed(3)
    made = TrainedTree.of_network(SPEC, TINY, build_network(SPEC, TINY, "compact"), "compact")
    random = np.random.default_rng(3)
    heads = {}
    for name, head in made.heads.items():
        kernel = random.normal(scale=2.0, size=head.arrays["kernel"].shape).astype(np.float32)
        bias = random.normal(size=head.arrays["bias"].shape).astype(np.float32)
        heads[name] = Head(head.kind, {"kernel": kernel, "bias": bias}, TEMPERATURES[name])
    return TrainedTree(SPEC, TINY, made.trunks, heads, dict.fromkeys(SPEC.nodes, 0.5))


def expected_scores(tree: TrainedTree, embedding: np.ndarray) -> np.ndarray:
    """The rules in numpy: parent times sigmoid, and the likeliest below for a class that no expert has."""
    scores = {"selector": np.ones(len(embedding))}
    for expert in SPEC.experts:
        arrays = tree.heads[expert.name].arrays
        logits = embedding.astype(np.float64) @ arrays["kernel"] + arrays["bias"]
        within = 1 / (1 + np.exp(-logits / TEMPERATURES[expert.name]))
        for output, share in zip(expert.outputs, within.T, strict=True):
            scores[output] = scores[expert.name] * share
    scores["rain"] = np.maximum(scores["rain-heavy"], scores["rain-light"])
    scores["animal-bird-song"] = np.maximum(scores["animal-bird-song-robin"], scores["animal-bird-song-wren"])
    return np.stack([scores[node] for node in SPEC.nodes], axis=1)


def test_the_exported_scores_are_those_that_numpy_computes(tree: TrainedTree, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    levels = np.geomspace(1e-3, 0.3, 24)[:, np.newaxis]
    audio = (random.normal(size=(24, TINY.window_frames)) * levels).astype(np.float32)
    description = describe_tree(tree, 1, "made")
    export_saved_model(
        tree.serving_model(),
        description,
        tmp_path / "model",
        audio[:4],
        lambda folder: write_companion(tree.hearing, TINY, folder),
    )
    with LocalModel(tmp_path / "model") as model:
        assert model.describe().labels == "multi"
        found = model.predict(audio)
        companion = model.predict_windows([Window(0, window[np.newaxis]) for window in audio])
    expected = expected_scores(tree, found.embedding)
    np.testing.assert_allclose(found.scores, expected, atol=1e-5)
    np.testing.assert_allclose(companion.scores, found.scores, atol=1e-4)
    leaves = [SPEC.nodes.index(leaf) for leaf in SPEC.leaves]
    assert expected[:, leaves].sum(axis=1).max() > 1.2, "no shares of a whole"
    assert expected[:, leaves].std() > 0.1, "drawn heads say something"
