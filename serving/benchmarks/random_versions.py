"""Versions whose weights were drawn at random: what a server does with one does not depend on what was learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from serving.export import export_saved_model
from serving.signature import ClassDescription, ModelDescription
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.network import build_network
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.tree.building import flat
from tidzam_platform.classifiers.tree.spec import TreeSpec

REFERENCE: Final = "reference_cnn"  # the 240,000-weight CNN that speeds are given for
_CLASSES: Final = tuple(f"animal-kind{number}" for number in range(14))
_LEVEL: Final = 0.05

FloatArray = npt.NDArray[np.float32]


def export_random(version: int, architecture: str, front_end: FrontEnd, folder: Path) -> None:
    """Export a flat tree of 14 classes as ``version`` into ``folder``; the version is also the seed."""
    spec = flat(_CLASSES)
    load_keras().utils.set_random_seed(version)
    tree = TrainedTree.of_network(spec, front_end, build_network(spec, front_end, architecture), architecture)
    audio = noise(4, front_end.window_frames)
    export_saved_model(tree.serving_model(), _description(version, spec, front_end), folder, audio)


def noise(rows: int, samples: int, seed: int = 0) -> FloatArray:
    """White noise at different levels, float32 ``[rows, samples]``, the same for the same seed."""
    random = np.random.default_rng(seed)
    levels = np.linspace(_LEVEL, 2 * _LEVEL, rows, dtype=np.float32)[:, np.newaxis]
    return random.standard_normal((rows, samples), dtype=np.float32) * levels


def _description(version: int, spec: TreeSpec, front_end: FrontEnd) -> ModelDescription:
    return ModelDescription(
        classes=tuple(ClassDescription(node, spec.parent_of(node), 0.5) for node in spec.nodes),
        rate_hz=front_end.rate_hz,
        window_s=front_end.window_s,
        hop_s=front_end.hop_s,
        generation=version,
        dataset_version="random",
    )
