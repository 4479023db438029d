"""The loss by which training stops: of whole clips, as analysis hears them, classes weighing alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.features import ClipFeatures, mean_by_clip, patches_on_grid
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.prediction import predict
from tidzam_platform.classifiers.training.losses import by_expert
from tidzam_platform.classifiers.training.targets import Truths, labelled_clips, node_truths, targets_of
from tidzam_platform.classifiers.tree import scores
from tidzam_platform.classifiers.tree.spec import TreeSpec


def window_logits(model: Any, patches: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Logits of all experts, float32 ``[windows, outputs]``, of log-mel patches ``[windows, frames, bands]``."""
    return np.asarray(predict(model, patches), np.float32)


def node_scores(spec: TreeSpec, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Combined scores of all nodes, float32 ``[windows, nodes]``, from the logits of all experts."""
    within = {name: spec.activation.probabilities(part) for name, part in by_expert(spec, logits).items()}
    return np.asarray(scores.node_scores(spec, within), np.float32)


@dataclass(frozen=True)
class ValidationSet:
    """Clips to validate on.

    Attributes:
        spec: the tree.
        clips: those with a class that the tree knows.
        patches: float32 ``[windows, frames, bands]``, on the grid of analysis.
        truths: of all nodes for each clip.
        weights: float64 ``[clips]``, summing to 1; classes count alike.
    """

    spec: TreeSpec
    clips: tuple[ClipFeatures, ...]
    patches: npt.NDArray[np.float32]
    truths: Truths
    weights: npt.NDArray[np.float64]

    @classmethod
    def of(cls, clips: Sequence[ClipFeatures], spec: TreeSpec, front_end: FrontEnd) -> ValidationSet | None:
        """The set of those ``clips`` with a class that the tree knows; None if there are none."""
        known, labels = labelled_clips(clips, spec)
        if not known:
            return None
        counts = Counter(label for own in labels for label in own)
        weights = np.array([sum(1 / counts[label] for label in own) for own in labels])
        return cls(
            spec,
            tuple(known),
            patches_on_grid(known, front_end),
            node_truths(spec, targets_of(labels, spec.nodes)),
            weights / weights.sum(),
        )

    def loss(self, model: Any) -> float:
        """Cross-entropy of the clips' mean scores, in nats; of every class where a clip may have several."""
        found = mean_by_clip(node_scores(self.spec, window_logits(model, self.patches)), self.clips)
        return float((self.weights * self.truths.doubt(found)).sum())
