"""From a dataset version to a trained, evaluated tree in the store: made once for the same ingredients."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tidzam_platform import crash_points
from tidzam_platform.classifiers.code_version import code_version
from tidzam_platform.classifiers.evaluation import confusion_picture, evaluate_tree
from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.tensorboard import TrainingLog
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.training import Epoch, Resumable
from tidzam_platform.classifiers.training_plan import OneExpert, Plan, Watcher, fingerprint_of
from tidzam_platform.errors import SettingsError
from tidzam_platform.home import Home

__all__ = [
    "Candidate",
    "OneExpert",
    "Watcher",
    "experts_of",
    "fingerprint_of",
    "make_candidate",
]


@dataclass(frozen=True)
class Candidate:
    """A trained classifier: the fingerprint of all that made it, and what the evaluation on the test side said."""

    fingerprint: str
    dataset_version: str
    prefix: str  # of its objects in the store
    evaluation: dict[str, Any]
    code_version: str


def make_candidate(
    home: Home, dataset_version: str, watcher: Watcher | None = None, only: OneExpert | None = None
) -> Candidate:
    """Train and evaluate on a dataset version, or return what the same ingredients gave before.

    A training that was killed goes on from the epoch that ended last. Where the settings name several workers this is
    the one that leads, and the others are in ``helping.help_training``.

    Raises:
        DatasetError: no such version.
        TreeError: ``only`` names an expert that the classes of the version do not call for.
        TrainingError: too few classes, or no test clips; a worker did not come, or was lost.
        SettingsError: ``training.worker`` is not the one that leads.
    """
    watcher = watcher or Watcher()
    settings = home.settings
    if settings.training.worker != 0:
        raise SettingsError(
            f"training.worker is {settings.training.worker}: a generation is made where it is 0, and this machine "
            "helps there by ./tidzam generation worker"
        )
    plan = Plan.of(home, dataset_version, only)
    fingerprint = plan.fingerprint
    prefix = f"classifiers/{fingerprint}"
    evaluation_key = f"{prefix}/evaluation.json"  # written last: where it stands, everything stands
    if not home.store.exists(evaluation_key):
        resumable = Resumable(settings.home / "training", fingerprint)
        log = TrainingLog(settings, resumable)

        def told(epoch: Epoch) -> None:
            log.epoch_ended(epoch)
            watcher.epoch_ended(epoch, settings.training.max_epochs)

        with plan.team(home) as team:
            job = {"dataset": dataset_version, "only": asdict(only) if only else None}
            team.share(json.dumps(job).encode())
            team.require_same(fingerprint)
            tree, history, clips = plan.train(home, watcher, told, resumable)
        tree = replace(tree, origins=_origins(plan, dataset_version, tree))
        tested = _test_side(clips)
        evaluation = evaluate_tree(tree, tested)
        crash_points.reach("training.evaluated")
        tree.save(home.store, prefix)
        home.store.put_bytes(f"{prefix}/confusion.png", confusion_picture(evaluation))
        log.training_ended(tree, tested, evaluation)
        report = {**evaluation.to_dict(), "epochs": [asdict(epoch) for epoch in history]}
        crash_points.reach("training.saved")
        home.store.put_bytes(evaluation_key, json.dumps(report).encode())
        crash_points.reach("training.completed")
        resumable.forget()
    return Candidate(
        fingerprint, dataset_version, prefix, json.loads(home.store.get_bytes(evaluation_key)), code_version()
    )


def _origins(plan: Plan, dataset_version: str, tree: TrainedTree) -> dict[str, Mapping[str, str]]:
    """Where each expert of a tree that was trained just now comes from."""
    origin = {
        "dataset_version": dataset_version,
        "code_version": code_version(),
        "fingerprint": plan.fingerprint,
    }
    if plan.only is None:
        return {expert.name: origin for expert in plan.spec.experts}
    return {**tree.origins, plan.only.name: origin}


def experts_of(home: Home, candidate: Candidate) -> dict[str, dict[str, str]]:
    """What a generation's manifest says of each expert: data, weights and code that made it."""
    tree = json.loads(home.store.get_bytes(f"{candidate.prefix}/tree.json"))
    return {name: {**origin, "weights": candidate.prefix} for name, origin in tree["origins"].items()}


def _test_side(clips: Sequence[ClipFeatures]) -> list[ClipFeatures]:
    return [clip for clip in clips if clip.side == "test"]
