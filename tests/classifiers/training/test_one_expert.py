"""One expert trained anew, or added: it learns, and all others answer as before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.classifiers.training.conftest import TINY, made_clips
from tidzam_platform.classifiers.evaluation import evaluate_tree
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.training import fit_tree
from tidzam_platform.classifiers.training.one_expert import retrain_expert
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.classifiers.tree.spec import ExpertSpec
from tidzam_platform.errors import TrainingError, TreeError
from tidzam_platform.settings import DecisionSettings, TrainingSettings

CLASSES = ("animal-bird-crow", "animal-bird-robin", "animal-frog", "human")
CLIPS = made_clips(CLASSES)
QUICK = TrainingSettings(max_epochs=8, windows_per_epoch=256, batch_size=32, learning_rate=5e-3)
BIRDS = ExpertSpec("animal-bird", ("animal-bird-crow", "animal-bird-robin"))


@pytest.fixture(scope="module")
def base() -> TrainedTree:
    """A tree that knows birds, but no species."""
    known = [
        replace(clip, class_paths=("animal-bird",)) if "bird" in clip.class_paths[0] else clip
        for clip in CLIPS
    ]
    spec = by_parent({clip.class_paths[0] for clip in known})
    return fit_tree(spec, known, TINY, QUICK, DecisionSettings())[0]


@pytest.mark.parametrize("head", ["dense", "forest"])
def test_an_expert_is_added_on_the_shared_trunk_and_the_others_stay(base: TrainedTree, head: str) -> None:
    tree, history = retrain_expert(base, replace(BIRDS, head=head), CLIPS, QUICK, DecisionSettings())
    assert history == []
    assert tree.trunks[next(iter(tree.trunks))] is base.trunks[next(iter(base.trunks))]
    tested = [clip for clip in CLIPS if clip.side == "test"]
    assert evaluate_tree(tree, tested).macro_f1 > 0.8
    before, after = base.clip_scores(tested), tree.clip_scores(tested)
    shared = [tree.spec.nodes.index(node) for node in base.spec.nodes]
    np.testing.assert_array_equal(after[:, shared], before)
    assert {node: tree.thresholds[node] for node in base.spec.nodes} == dict(base.thresholds)


@pytest.mark.long
def test_an_expert_with_a_trunk_of_its_own_is_trained_as_a_tree_is(base: TrainedTree) -> None:
    tree, history = retrain_expert(base, replace(BIRDS, trunk="own"), CLIPS, QUICK, DecisionSettings())
    assert len(history) > 1
    assert set(tree.trunks) == {*base.trunks, "animal-bird"}
    assert evaluate_tree(tree, [clip for clip in CLIPS if clip.side == "test"]).macro_f1 > 0.8


def test_an_expert_that_nothing_leads_to_is_refused(base: TrainedTree) -> None:
    stranger = ExpertSpec("weather", ("weather-rain", "weather-wind"))
    with pytest.raises(TreeError, match="weather"):
        retrain_expert(base, stranger, CLIPS, QUICK, DecisionSettings())


def test_an_expert_without_clips_is_refused(base: TrainedTree) -> None:
    finches = ExpertSpec("animal-bird", ("animal-bird-finch", "animal-bird-wren"))
    with pytest.raises(TrainingError, match="no clip of the classes"):
        retrain_expert(base, finches, CLIPS, QUICK, DecisionSettings())
