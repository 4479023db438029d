"""What is to be trained and how a training is told about: known before anything is computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Final

from tidzam_platform.classifiers.clip_variants import ClipVariants
from tidzam_platform.classifiers.code_version import code_version
from tidzam_platform.classifiers.features import ClipFeatures, load_clips
from tidzam_platform.classifiers.front_end import FrontEnd, preset
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.training import Epoch, Resumable, fit_tree
from tidzam_platform.classifiers.training.distributed import ALONE, Team, joined
from tidzam_platform.classifiers.training.one_expert import retrain_expert
from tidzam_platform.classifiers.tree.shape import tree_of
from tidzam_platform.classifiers.tree.spec import TreeSpec
from tidzam_platform.datasets.build import load_manifest
from tidzam_platform.datasets.manifest import Manifest
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
        "training": settings.training.deciding(),
        "precision": settings.decision.precision,
        "threshold": settings.decision.threshold,
        "front_end": front_end.to_dict(),
        "code": code_version(),
    }
    if only is not None:
        ingredients["only"] = asdict(only)
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()[:_FINGERPRINT_LENGTH]


@dataclass(frozen=True)
class Plan:
    """What is to be trained, known before anything is computed.

    Attributes:
        manifest: of the dataset version.
        spec: the tree.
        front_end: parameters that its weights are trained with.
        only: the one expert that is trained; None for the whole tree.
        fingerprint: of all that decides the weights.
    """

    manifest: Manifest
    spec: TreeSpec
    front_end: FrontEnd
    only: OneExpert | None
    fingerprint: str

    @classmethod
    def of(cls, home: Home, dataset_version: str, only: OneExpert | None) -> Plan:
        """The plan for a dataset version; errors as ``make_candidate``."""
        manifest = load_manifest(home.catalog, home.store, dataset_version)
        spec = tree_of(_trained_classes(manifest), home.settings.tree)
        front_end = _front_end_of(home, only.base_prefix) if only else preset(home.settings.tree.front_end)
        fingerprint = fingerprint_of(home, dataset_version, spec, front_end, only)
        return cls(manifest, spec, front_end, only, fingerprint)

    def team(self, home: Home) -> AbstractContextManager[Team]:
        """The workers of the settings; a head on a frozen trunk is learnt alone, in seconds."""
        has_epochs = self.only is None or self.spec.expert(self.only.name).trunk == "own"
        return joined(home.settings.training) if has_epochs else nullcontext(ALONE)

    def train(
        self, home: Home, watcher: Watcher, on_epoch: Callable[[Epoch], None], resumable: Resumable
    ) -> tuple[TrainedTree, list[Epoch], list[ClipFeatures]]:
        """Train; the tree, its epochs and the clips of all sides come back."""
        watcher.clips_to_decode(self.manifest.clips)
        augmentation = home.settings.training.augmentation
        copies = ClipVariants.below(home.settings.home / "cache" / "variants", self.front_end, augmentation)
        clips = load_clips(home.store, self.manifest, self.front_end, watcher.clip_decoded, copies=copies.of)
        how = (home.settings.training, home.settings.decision)
        if self.only is None:
            made = fit_tree(self.spec, clips, self.front_end, *how, on_epoch=on_epoch, resumable=resumable)
            return *made, clips
        base = TrainedTree.load(home.store, self.only.base_prefix)
        expert = self.spec.expert(self.only.name)
        made = retrain_expert(base, expert, clips, *how, on_epoch=on_epoch, resumable=resumable)
        return *made, clips


def _front_end_of(home: Home, prefix: str) -> FrontEnd:
    """The front end of a tree in the store, without its weights."""
    return FrontEnd(**json.loads(home.store.get_bytes(f"{prefix}/tree.json"))["front_end"])


def _trained_classes(manifest: Manifest) -> list[str]:
    """Classes that have a clip to train on, ascending."""
    return sorted(
        {row.class_path for row in manifest.rows if row.verdict == "present" and row.side == "train"}
    )
