"""Trees of several labels are learnt, calibrated, kept, and one expert of them trained anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.classifiers.training.conftest import TINY
from tidzam_platform.classifiers.evaluation import evaluate_tree
from tidzam_platform.classifiers.evaluation.multi_label import MultiLabelEvaluation
from tidzam_platform.classifiers.features import ClipFeatures, mean_by_clip, patches_on_grid
from tidzam_platform.classifiers.prediction import predict
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.training import calibrating, fit_tree
from tidzam_platform.classifiers.training.calibrating import calibrate
from tidzam_platform.classifiers.training.one_expert import retrain_expert
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.classifiers.tree.spec import ExpertSpec, TreeSpec
from tidzam_platform.errors import TreeError
from tidzam_platform.settings import DecisionSettings, TrainingSettings
from tidzam_platform.store import LocalStore

BANDS = {"animal-bird": 0, "animal-frog": 5, "rain": 10}
SOUNDS = (
    ("animal-bird",),
    ("animal-frog",),
    ("rain",),
    ("animal-bird", "animal-frog"),
    ("animal-bird", "rain"),
)
QUICK = TrainingSettings(
    max_epochs=5, patience=5, windows_per_epoch=512, batch_size=32, learning_rate=5e-3, refit=False
)


def made_clips(sounds: Sequence[tuple[str, ...]] = SOUNDS) -> list[ClipFeatures]:
    """Clips of noise in which the bands of each of their classes are loud."""
    random = np.random.default_rng(0)
    clips = []
    for own in sounds:
        for number in range(10):
            frames = 2 * TINY.patch_frames
            log_mel = random.normal(-10, 1, (frames, TINY.bands)).astype(np.float32)
            for name in own:
                band = next(first for known, first in BANDS.items() if name.startswith(known))
                log_mel[:, band : band + 4] += 5
            side = "test" if number < 2 else "validation" if number < 4 else "train"
            names = "+".join(own)
            clips.append(ClipFeatures(f"{names}{number}", log_mel, (0, 60), own, f"{names}{number}", side))
    return clips


CLIPS = made_clips()
TESTED = [clip for clip in CLIPS if clip.side == "test"]


def trained(spec: TreeSpec) -> TrainedTree:
    return fit_tree(spec, CLIPS, TINY, QUICK, DecisionSettings())[0]


@pytest.fixture(scope="module")
def multi() -> TrainedTree:
    return trained(replace(by_parent(BANDS), labels="multi"))


def heard(tree: TrainedTree, clip: ClipFeatures) -> set[str]:
    """Leaves whose scores reach their thresholds."""
    (scores,) = tree.clip_scores([clip])
    by_node = dict(zip(tree.spec.nodes, scores, strict=True))
    return {leaf for leaf in tree.spec.leaves if by_node[leaf] >= tree.thresholds[leaf]}


def test_classes_that_sound_at_once_are_all_heard(multi: TrainedTree) -> None:
    for clip in TESTED:
        assert heard(multi, clip) == set(clip.class_paths), clip.sha256


def test_a_tree_of_single_labels_cannot_hear_two_at_once() -> None:
    tree = trained(by_parent(BANDS))
    assert min(tree.thresholds.values()) >= 0.5
    both = [clip for clip in TESTED if len(clip.class_paths) == 2]
    assert all(len(heard(tree, clip)) < 2 for clip in both)
    assert any(heard(tree, clip) for clip in TESTED), "it is not just deaf"


def test_it_is_kept_as_what_it_is(multi: TrainedTree, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    multi.save(store, "classifiers/x")
    again = TrainedTree.load(store, "classifiers/x")
    assert again.spec == multi.spec
    assert again.spec.labels == "multi"
    np.testing.assert_allclose(again.clip_scores(TESTED), multi.clip_scores(TESTED), atol=1e-6)
    assert again.thresholds == multi.thresholds


def test_its_figures_are_of_each_class_against_the_set_of_true_ones(multi: TrainedTree) -> None:
    result = evaluate_tree(multi, TESTED)
    assert isinstance(result, MultiLabelEvaluation)
    assert result.macro_f1 == 1
    assert result.accuracy == 1
    assert result.macro.average_precision == 1
    assert {name: one.clips for name, one in result.per_class.items()} == {
        "animal-bird": 6,
        "animal-frog": 4,
        "rain": 4,
    }
    assert result.to_dict()["ranking"]["rain"]["auroc"] == 1
    deaf = replace(multi, thresholds={**multi.thresholds, "animal": 1.0})
    assert evaluate_tree(deaf, TESTED).per_class["animal-bird"].recall == 0, "no bird without an animal"
    assert evaluate_tree(deaf, TESTED).per_class["rain"].recall == 1


def test_an_expert_is_added_to_it_on_the_shared_trunk(multi: TrainedTree) -> None:
    """Crows call like rain and wrens like frogs, so that the frozen trunk can tell them apart."""
    sounds = {
        ("animal-bird-crow",): ("animal-bird", "rain"),
        ("animal-bird-crow", "animal-bird-wren"): ("animal-bird", "animal-frog", "rain"),
        ("animal-bird-wren",): ("animal-bird", "animal-frog"),
    }
    names = {"+".join(sound): own for own, sound in sounds.items()}
    clips = [
        replace(clip, class_paths=names["+".join(clip.class_paths)])
        for clip in made_clips(list(sounds.values()))
    ]
    birds = ExpertSpec("animal-bird", ("animal-bird-crow", "animal-bird-wren"))
    tree, history = retrain_expert(multi, birds, clips, QUICK, DecisionSettings())
    assert history == []
    assert tree.spec.labels == "multi"
    tested = [clip for clip in clips if clip.side == "test"]
    embedding = predict(tree.embedder("shared"), patches_on_grid(tested, TINY))
    within = np.asarray(tree.heads["animal-bird"].probabilities(embedding, tree.spec.activation))
    assert [
        tuple(name for name, share in zip(birds.outputs, row, strict=True) if share > 0.5)
        for row in mean_by_clip(within, tested)
    ] == [clip.class_paths for clip in tested]
    before = [tree.spec.nodes.index(node) for node in multi.spec.nodes]
    np.testing.assert_array_equal(tree.clip_scores(TESTED)[:, before], multi.clip_scores(TESTED))


def test_a_head_that_chooses_one_class_is_refused(multi: TrainedTree) -> None:
    birds = ExpertSpec("animal-bird", ("animal-bird-crow", "animal-bird-wren"), head="forest")
    with pytest.raises(TreeError, match=r"'animal-bird' has the head 'forest'.*dense or linear"):
        retrain_expert(multi, birds, CLIPS, QUICK, DecisionSettings())


def test_a_temperature_undoes_logits_that_are_too_great_and_few_clips_leave_it_near_the_usual(
    multi: TrainedTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    mislabelled = [
        replace(clip, class_paths=SOUNDS[number // 2 % len(SOUNDS)]) if number % 4 == 0 else clip
        for number, clip in enumerate(CLIPS)
    ]
    found = []
    for factor, prior_clips in ((2.0, 0), (4.0, 0), (4.0, 1000)):
        monkeypatch.setattr(calibrating, "_PRIOR_CLIPS", prior_clips)
        heads = {
            name: replace(head, arrays={key: value * factor for key, value in head.arrays.items()})
            for name, head in multi.heads.items()
        }
        calibrated = calibrate(replace(multi, heads=heads), mislabelled, precision=0.8, least=0.5)
        found.append(calibrated.heads["selector"].temperature)
    assert 0.3 < found[0] < found[1] < 3.9, "within the bounds of the search"
    assert found[1] == pytest.approx(2 * found[0], rel=0.02)
    assert found[2] == pytest.approx(0.75, abs=0.05)
