"""From a dataset version to a trained, evaluated tree in the store: made once for the same ingredients."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from tidzam_platform import crash_points
from tidzam_platform.classifiers.code_version import code_version
from tidzam_platform.classifiers.evaluation import Evaluation, confusion_picture, evaluate_tree
from tidzam_platform.classifiers.features import ClipFeatures, load_clips
from tidzam_platform.classifiers.front_end import FrontEnd, preset
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.training import Epoch, Resumable, fit_tree
from tidzam_platform.classifiers.training.one_expert import retrain_expert
from tidzam_platform.classifiers.tree.shape import tree_of
from tidzam_platform.classifiers.tree.spec import TreeSpec
from tidzam_platform.datasets.build import load_manifest
from tidzam_platform.datasets.manifest import Manifest
from tidzam_platform.errors import TrainingError
from tidzam_platform.home import Home

_FINGERPRINT_LENGTH: Final = 32


class Watcher:
    """Is told how the making of a candidate goes on; does nothing by itself."""

    def clips_to_decode(self, total: int) -> None:
        """Decoding of so many clips begins."""

    def clip_decoded(self, more: int) -> None:
        """So many more clips are decoded."""

    def epoch_ended(self, epoch: Epoch, of: int) -> None:
        """An epoch ended; there are ``of`` at most."""


@dataclass(frozen=True)
class Candidate:
    """A trained classifier: the fingerprint of all that made it, and what the evaluation on the test side said."""

    fingerprint: str
    dataset_version: str
    prefix: str  # of its objects in the store
    evaluation: dict[str, Any]
    code_version: str


@dataclass(frozen=True)
class OneExpert:
    """To train one expert only: its name, and the prefix in the store of the tree that the others are taken from."""

    name: str
    base_prefix: str


def fingerprint_of(
    home: Home, dataset_version: str, spec: TreeSpec, front_end: FrontEnd, only: OneExpert | None = None
) -> str:
    """Hash of everything that decides the weights: data, tree, settings, front end, code."""
    settings = home.settings
    ingredients: dict[str, Any] = {
        "dataset_version": dataset_version,
        "tree": spec.to_dict(),
        "training": settings.training.model_dump(),
        "precision": settings.decision.precision,
        "threshold": settings.decision.threshold,
        "front_end": front_end.to_dict(),
        "code": code_version(),
    }
    if only is not None:
        ingredients["only"] = asdict(only)
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()[:_FINGERPRINT_LENGTH]


def make_candidate(
    home: Home, dataset_version: str, watcher: Watcher | None = None, only: OneExpert | None = None
) -> Candidate:
    """Train and evaluate on a dataset version, or return what the same ingredients gave before.

    A training that was killed goes on from the epoch that ended last.

    Raises:
        DatasetError: no such version.
        TreeError: ``only`` names an expert that the classes of the version do not call for.
        TrainingError: too few classes, or no test clips.
    """
    watcher = watcher or Watcher()
    settings = home.settings
    manifest = load_manifest(home.catalog, home.store, dataset_version)
    spec = tree_of(_trained_classes(manifest), settings.tree)
    base = TrainedTree.load(home.store, only.base_prefix) if only else None
    front_end = base.front_end if base else preset(settings.tree.front_end)
    fingerprint = fingerprint_of(home, dataset_version, spec, front_end, only)
    prefix = f"classifiers/{fingerprint}"
    evaluation_key = f"{prefix}/evaluation.json"  # written last: where it stands, everything stands
    if not home.store.exists(evaluation_key):
        resumable = Resumable(settings.home / "training", fingerprint)
        watcher.clips_to_decode(manifest.clips)
        clips = load_clips(home.store, manifest, front_end, watcher.clip_decoded)
        origin = {
            "dataset_version": dataset_version,
            "code_version": code_version(),
            "fingerprint": fingerprint,
        }

        def told(epoch: Epoch) -> None:
            watcher.epoch_ended(epoch, settings.training.max_epochs)

        how = (settings.training, settings.decision)
        if only is not None and base is not None:
            expert = spec.expert(only.name)
            tree, history = retrain_expert(base, expert, clips, *how, on_epoch=told, resumable=resumable)
            origins = {**base.origins, only.name: origin}
        else:
            tree, history = fit_tree(spec, clips, front_end, *how, on_epoch=told, resumable=resumable)
            origins = {expert.name: origin for expert in spec.experts}
        tree = replace(tree, origins=origins)
        evaluation = evaluate_tree(tree, _test_side(clips))
        crash_points.reach("training.evaluated")
        tree.save(home.store, prefix)
        home.store.put_bytes(f"{prefix}/confusion.png", confusion_picture(evaluation))
        report = {**evaluation.to_dict(), "epochs": [asdict(epoch) for epoch in history]}
        crash_points.reach("training.saved")
        home.store.put_bytes(evaluation_key, json.dumps(report).encode())
        crash_points.reach("training.completed")
        resumable.forget()
    return Candidate(
        fingerprint, dataset_version, prefix, json.loads(home.store.get_bytes(evaluation_key)), code_version()
    )


def experts_of(home: Home, candidate: Candidate) -> dict[str, dict[str, str]]:
    """What a generation's manifest says of each expert: data, weights and code that made it."""
    tree = json.loads(home.store.get_bytes(f"{candidate.prefix}/tree.json"))
    return {name: {**origin, "weights": candidate.prefix} for name, origin in tree["origins"].items()}


def evaluate_beside(
    home: Home, dataset_version: str, prefix: str, incumbent_prefix: str
) -> tuple[Evaluation, Evaluation]:
    """Candidate and incumbent on the same test clips: those whose classes both know.

    Raises:
        TrainingError: they have no test class in common.
    """
    trees = [TrainedTree.load(home.store, prefix), TrainedTree.load(home.store, incumbent_prefix)]
    common = set(trees[0].spec.leaves) & set(trees[1].spec.leaves)
    manifest = load_manifest(home.catalog, home.store, dataset_version)
    figures = []
    for tree in trees:
        clips = load_clips(home.store, manifest, tree.front_end, sides=frozenset({"test"}))
        tested = [clip for clip in clips if common.issuperset(clip.class_paths)]
        if not tested:
            raise TrainingError("candidate and incumbent have no test class in common")
        figures.append(evaluate_tree(tree, tested))
    return figures[0], figures[1]


def _trained_classes(manifest: Manifest) -> list[str]:
    """Classes that have a clip to train on, ascending."""
    return sorted(
        {row.class_path for row in manifest.rows if row.verdict == "present" and row.side == "train"}
    )


def _test_side(clips: Sequence[ClipFeatures]) -> list[ClipFeatures]:
    return [clip for clip in clips if clip.side == "test"]
