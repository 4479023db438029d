"""Trees of several labels: how they are kept, and how their scores are combined."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.classifiers.tree.made import trees
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.tree import ExpertSpec, TreeSpec, node_scores, tree_from_toml, tree_to_toml
from tidzam_platform.classifiers.tree.shape import tree_of
from tidzam_platform.errors import TreeError
from tidzam_platform.labels.class_paths import is_within
from tidzam_platform.settings import TreeSettings

ROWS = 3
SELECTOR = '[experts.selector]\nclasses = ["animal", "rain"]\n'
WEATHER = TreeSpec(
    (
        ExpertSpec("selector", ("animal", "rain-heavy", "rain-light")),
        ExpertSpec("animal", ("animal-cat", "animal-bird")),
        ExpertSpec("animal-bird", ("animal-bird-crow", "animal-bird-song-robin", "animal-bird-song-wren")),
    ),
    "multi",
)
multi_trees = trees().map(lambda tree: replace(tree, labels="multi"))
seeds = st.integers(0, 2**32 - 1)


def probabilities(tree: TreeSpec, seed: int) -> dict[str, np.ndarray]:
    """Of logits from doubt to certainty."""
    random = np.random.default_rng(seed)
    scale = random.choice([0.1, 3.0, 40.0])
    logits = {one.name: random.normal(scale=scale, size=(ROWS, len(one.outputs))) for one in tree.experts}
    return {
        name: np.asarray(tree.activation.probabilities(rows.astype(np.float32)))
        for name, rows in logits.items()
    }


@given(trees(), st.sampled_from(["single", "multi"]))
def test_the_kind_survives_json_and_toml(tree: TreeSpec, labels: str) -> None:
    kind = replace(tree, labels=labels)
    assert TreeSpec.from_dict(json.loads(json.dumps(kind.to_dict()))) == kind
    assert tree_from_toml(tree_to_toml(kind)) == kind


def test_a_tree_that_was_kept_before_there_were_kinds_is_of_single_labels() -> None:
    kept = WEATHER.to_dict()
    del kept["labels"]
    assert TreeSpec.from_dict(kept) == replace(WEATHER, labels="single")


@pytest.mark.parametrize("labels", ["many", None, 2, ["multi"]])
def test_another_kind_is_refused(labels: object) -> None:
    with pytest.raises(TreeError, match="single or multi"):
        TreeSpec.from_dict({**WEATHER.to_dict(), "labels": labels})


@pytest.mark.parametrize("text", ['labels = "many"\n', "labels = true\n", "labels = []\n"])
def test_another_kind_in_toml_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(TreeError, match=r'my_tree\.toml: labels is .*"single" or "multi"'):
        tree_from_toml(text + SELECTOR, place="my_tree.toml")


@pytest.mark.parametrize("shape", ["flat", "by_parent"])
def test_the_setting_says_of_which_kind_a_tree_from_labels_is(shape: str) -> None:
    paths = ["animal-bird", "animal-cat", "rain"]
    for labels in ("single", "multi"):
        made = tree_of(paths, TreeSettings.model_validate({"shape": shape, "labels": labels}))
        assert made.labels == labels


def test_what_the_file_says_goes_before_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "tree.toml"
    for text, expected in [("", "multi"), ('labels = "single"\n', "single")]:
        file.write_text(text + SELECTOR)
        assert tree_of([], TreeSettings(file=file, labels="multi")).labels == expected
    file.write_text('labels = "multi"\n' + SELECTOR)
    assert tree_of([], TreeSettings(file=file)).labels == "multi"


def test_a_hand_calculation() -> None:
    scores = np.asarray(
        node_scores(
            WEATHER,
            {
                "selector": np.array([[0.9, 0.2, 0.8]], np.float32),
                "animal": np.array([[0.5, 0.8]], np.float32),
                "animal-bird": np.array([[0.75, 0.5, 0.25]], np.float32),
            },
        )
    )
    expected = {
        "animal": 0.9,
        "animal-bird": 0.72,
        "animal-bird-crow": 0.54,
        "animal-bird-song": 0.36,
        "animal-bird-song-robin": 0.36,
        "animal-bird-song-wren": 0.18,
        "animal-cat": 0.45,
        "rain": 0.8,
        "rain-heavy": 0.2,
        "rain-light": 0.8,
    }
    np.testing.assert_allclose(scores[0], [expected[node] for node in WEATHER.nodes], rtol=1e-6)


def plain_score(tree: TreeSpec, within: dict[str, float], node: str) -> float:
    """Score of the parent times the sigmoid, at any depth; the likeliest below where there is no sigmoid."""
    for expert in tree.experts:
        if node in expert.outputs:
            above = 1.0 if expert.name == "selector" else plain_score(tree, within, expert.name)
            return above * within[node]
    return max(plain_score(tree, within, output) for output in tree.outputs if is_within(output, node))


@settings(max_examples=50)
@given(multi_trees, seeds)
def test_scores_are_what_the_rules_tell(tree: TreeSpec, seed: int) -> None:
    found = probabilities(tree, seed)
    scores = np.asarray(node_scores(tree, found))
    for row in range(ROWS):
        within = {
            output: float(found[expert.name][row, index])
            for expert in tree.experts
            for index, output in enumerate(expert.outputs)
        }
        plain = [plain_score(tree, within, node) for node in tree.nodes]
        np.testing.assert_allclose(scores[row], plain, rtol=1e-5, atol=1e-37)


@settings(max_examples=50)
@given(multi_trees, seeds)
def test_no_child_scores_above_its_parent_by_even_a_bit(tree: TreeSpec, seed: int) -> None:
    scores = dict(zip(tree.nodes, np.asarray(node_scores(tree, probabilities(tree, seed))).T, strict=True))
    for node in tree.nodes:
        above = tree.parent_of(node)
        assert (scores[node] >= 0).all()
        assert (scores[node] <= (1.0 if above is None else scores[above])).all()


def test_a_graph_says_the_same() -> None:
    keras = load_keras()
    inputs = {expert.name: keras.Input((len(expert.outputs),)) for expert in WEATHER.experts}
    found = probabilities(WEATHER, 1)
    model = keras.Model(list(inputs.values()), node_scores(WEATHER, inputs))
    np.testing.assert_array_equal(
        np.asarray(model([found[name] for name in inputs])), np.asarray(node_scores(WEATHER, found))
    )
