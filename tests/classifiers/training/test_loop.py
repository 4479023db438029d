"""Training: learns, is the same each time, and goes on after a kill as if nothing had been."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.classifiers.training.conftest import CLASSES, QUICK, TINY, made_clips
from tidzam_platform.classifiers.evaluation import evaluate_tree
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.training import Epoch, Resumable, fit_tree
from tidzam_platform.classifiers.training.fit import REFIT_EPOCHS
from tidzam_platform.classifiers.tree.building import by_parent, flat
from tidzam_platform.classifiers.tree.spec import ExpertSpec, TreeSpec
from tidzam_platform.errors import TrainingError
from tidzam_platform.settings import DecisionSettings, TrainingSettings
from tidzam_platform.store import LocalStore

DECISION = DecisionSettings()
TREE = by_parent(CLASSES)


class KilledError(Exception):
    """Stands for kill -9: nothing of ours runs after it."""


def fit(
    settings: TrainingSettings, resumable: Resumable | None = None, kill_after: int = 0
) -> tuple[TrainedTree, list[Epoch]]:
    def on_epoch(epoch: Epoch) -> None:
        ended.append(epoch.number)
        if len(ended) == kill_after:
            raise KilledError

    ended: list[int] = []

    return fit_tree(TREE, made_clips(), TINY, settings, DECISION, on_epoch=on_epoch, resumable=resumable)


@pytest.fixture(scope="module")
def trained() -> tuple[TrainedTree, list[Epoch]]:
    """Trained in one go."""
    return fit(QUICK)


def test_a_tree_learns_what_can_be_learnt_and_is_kept(
    trained: tuple[TrainedTree, list[Epoch]], tmp_path: Path
) -> None:
    tree, history = trained
    tested = [clip for clip in made_clips() if clip.side == "test"]
    assert evaluate_tree(tree, tested).macro_f1 > 0.9
    losses = [epoch.validation_loss for epoch in history if epoch.validation_loss is not None]
    assert losses[-1] < losses[0]
    assert len(history) == len(losses) + round(REFIT_EPOCHS * len(losses))  # goes on, on both sides
    store = LocalStore(tmp_path)
    tree.save(store, "classifiers/x")
    again = TrainedTree.load(store, "classifiers/x")
    np.testing.assert_allclose(again.clip_scores(tested), tree.clip_scores(tested), atol=1e-6)
    assert again.thresholds == tree.thresholds
    assert again.spec == tree.spec


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param((2,), id="in the first stage"),
        pytest.param((2, 4), id="in both stages", marks=pytest.mark.long),
    ],
)
def test_trained_twice_or_killed_and_resumed_it_is_the_same(
    quick: TrainingSettings, trained: tuple[TrainedTree, list[Epoch]], tmp_path: Path, kills: tuple[int, ...]
) -> None:
    first, history = trained
    resumable = Resumable(tmp_path, "x")
    for epochs in kills:
        with pytest.raises(KilledError):
            fit(quick, resumable, kill_after=epochs)
    resumed, resumed_history = fit(quick, resumable)
    tested = [clip for clip in made_clips() if clip.side == "test"]
    assert resumed_history == history
    np.testing.assert_array_equal(resumed.clip_scores(tested), first.clip_scores(tested))


def test_a_checkpoint_of_other_ingredients_is_not_used(quick: TrainingSettings, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        fit(quick, Resumable(tmp_path, "x"), kill_after=1)
    numbers: list[int] = []

    def on_epoch(epoch: Epoch) -> None:
        numbers.append(epoch.number)
        raise KilledError

    with pytest.raises(KilledError):
        fit_tree(
            TREE, made_clips(), TINY, quick, DECISION, on_epoch=on_epoch, resumable=Resumable(tmp_path, "y")
        )
    assert numbers == [1]


@pytest.mark.long  # tests of one expert train one with a trunk of its own every day
def test_an_expert_may_bring_a_trunk_of_its_own(quick: TrainingSettings) -> None:
    experts = (TREE.experts[0], ExpertSpec("animal", TREE.experts[1].outputs, trunk="own"))
    tree, _ = fit_tree(TreeSpec(experts), made_clips(), TINY, quick, DECISION)
    assert set(tree.trunks) == {"shared", "animal"}
    tested = [clip for clip in made_clips() if clip.side == "test"]
    assert evaluate_tree(tree, tested).macro_f1 > 0.9


def test_without_a_validation_side_the_last_epoch_counts_and_thresholds_are_plain(
    quick: TrainingSettings,
) -> None:
    clips = [clip for clip in made_clips() if clip.side != "validation"]
    tree, history = fit_tree(TREE, clips, TINY, quick, DECISION)
    assert len(history) == quick.max_epochs
    assert set(tree.thresholds.values()) == {DECISION.threshold}


def test_one_class_is_no_training(quick: TrainingSettings) -> None:
    with pytest.raises(TrainingError, match=r"label|class"):
        fit_tree(flat(["a", "b"]), made_clips(("c", "d")), TINY, quick, DECISION)
