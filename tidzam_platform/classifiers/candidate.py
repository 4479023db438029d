"""From a dataset version to a trained, evaluated classifier in the store: made once for the same ingredients."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from tidzam_platform import crash_points
from tidzam_platform.classifiers.evaluation import Evaluation, confusion_picture, evaluate_expert
from tidzam_platform.classifiers.expert import Expert
from tidzam_platform.classifiers.features import ClipFeatures, load_clips
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.training import Epoch, train_expert
from tidzam_platform.datasets.build import load_manifest
from tidzam_platform.errors import TrainingError
from tidzam_platform.home import Home

SELECTOR: Final = "selector"  # the first expert of the tree
ARCHITECTURE: Final = "compact"
_CODE_FOLDERS: Final = ("classifiers", "audio")  # whose code decides what weights come out
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


@lru_cache(maxsize=1)
def code_version() -> str:
    """Hash of the source code that weights depend on."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for folder in _CODE_FOLDERS:
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def fingerprint_of(home: Home, dataset_version: str, front_end: FrontEnd) -> str:
    """Hash of everything that decides the weights: data, settings, front end, architecture, code."""
    ingredients = {
        "dataset_version": dataset_version,
        "training": home.settings.training.model_dump(),
        "front_end": front_end.to_dict(),
        "architecture": ARCHITECTURE,
        "code": code_version(),
    }
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()[:_FINGERPRINT_LENGTH]


def make_candidate(home: Home, dataset_version: str, watcher: Watcher | None = None) -> Candidate:
    """Train and evaluate on a dataset version, or return what the same ingredients gave before.

    Raises:
        DatasetError: no such version.
        TrainingError: too few classes, or no test clips.
    """
    watcher = watcher or Watcher()
    front_end = FrontEnd()
    fingerprint = fingerprint_of(home, dataset_version, front_end)
    prefix = f"classifiers/{fingerprint}"
    evaluation_key = f"{prefix}/evaluation.json"  # written last: where it stands, everything stands
    if not home.store.exists(evaluation_key):
        clips = _clips_of(home, dataset_version, front_end, watcher)
        expert, history = train_expert(
            SELECTOR,
            clips,
            front_end,
            home.settings.training,
            architecture=ARCHITECTURE,
            on_epoch=lambda epoch: watcher.epoch_ended(epoch, home.settings.training.max_epochs),
        )
        evaluation = evaluate_expert(expert, [clip for clip in clips if clip.side == "test"])
        crash_points.reach("training.evaluated")
        expert.save(home.store, prefix)
        home.store.put_bytes(f"{prefix}/confusion.png", confusion_picture(evaluation))
        report = {**evaluation.to_dict(), "epochs": [asdict(epoch) for epoch in history]}
        crash_points.reach("training.saved")
        home.store.put_bytes(evaluation_key, json.dumps(report).encode())
        crash_points.reach("training.completed")
    return Candidate(
        fingerprint, dataset_version, prefix, json.loads(home.store.get_bytes(evaluation_key)), code_version()
    )


def evaluate_beside(
    home: Home, dataset_version: str, prefix: str, incumbent_prefix: str
) -> tuple[Evaluation, Evaluation]:
    """Candidate and incumbent on the same test clips: those whose classes both know.

    Raises:
        TrainingError: they have no test class in common.
    """
    experts = [Expert.load(home.store, prefix), Expert.load(home.store, incumbent_prefix)]
    common = set(experts[0].outputs) & set(experts[1].outputs)
    manifest = load_manifest(home.catalog, home.store, dataset_version)
    figures = []
    for expert in experts:
        clips = load_clips(home.store, manifest, expert.front_end, sides=frozenset({"test"}))
        tested = [clip for clip in clips if common.issuperset(clip.class_paths)]
        if not tested:
            raise TrainingError("candidate and incumbent have no test class in common")
        figures.append(evaluate_expert(expert, tested))
    return figures[0], figures[1]


def _clips_of(
    home: Home, dataset_version: str, front_end: FrontEnd, watcher: Watcher
) -> Sequence[ClipFeatures]:
    manifest = load_manifest(home.catalog, home.store, dataset_version)
    watcher.clips_to_decode(manifest.clips)
    return load_clips(home.store, manifest, front_end, watcher.clip_decoded)
