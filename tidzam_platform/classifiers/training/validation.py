"""The loss by which training stops: of whole clips, as analysis hears them, classes weighing alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.features import ClipFeatures, mean_by_clip, patches_on_grid
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.prediction import predict
from tidzam_platform.classifiers.training.losses import output_log_scores, output_matrix
from tidzam_platform.classifiers.tree.spec import TreeSpec

_LEAST_SCORE: Final = 1e-9


def window_logits(model: Any, patches: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Logits of all experts, float32 ``[windows, outputs]``, of log-mel patches ``[windows, frames, bands]``."""
    return np.asarray(predict(model, patches), np.float32)


def node_scores(spec: TreeSpec, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Combined scores of all nodes, float32 ``[windows, nodes]``, from the logits of all experts."""
    return np.asarray(np.exp(np.asarray(output_log_scores(spec, logits))) @ output_matrix(spec), np.float32)


@dataclass(frozen=True)
class ValidationSet:
    """Clips to validate on.

    Attributes:
        spec: the tree.
        clips: those whose class the tree knows.
        patches: float32 ``[windows, frames, bands]``, on the grid of analysis.
        nodes: int64 ``[clips]``, index of each clip's class.
        weights: float64 ``[clips]``, summing to 1; classes count alike.
    """

    spec: TreeSpec
    clips: tuple[ClipFeatures, ...]
    patches: npt.NDArray[np.float32]
    nodes: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]

    @classmethod
    def of(cls, clips: Sequence[ClipFeatures], spec: TreeSpec, front_end: FrontEnd) -> ValidationSet | None:
        """The set of those ``clips`` whose class the tree knows; None if there are none."""
        known = [(clip, node) for clip in clips if (node := spec.covers(clip.class_paths[0]))]
        if not known:
            return None
        kept = tuple(clip for clip, _ in known)
        counts = Counter(node for _, node in known)
        weights = np.array([1 / counts[node] for _, node in known])
        index_of = {node: index for index, node in enumerate(spec.nodes)}
        return cls(
            spec,
            kept,
            patches_on_grid(kept, front_end),
            np.array([index_of[node] for _, node in known]),
            weights / weights.sum(),
        )

    def loss(self, model: Any) -> float:
        """Cross-entropy of the clips' mean scores, in nats."""
        scores = mean_by_clip(node_scores(self.spec, window_logits(model, self.patches)), self.clips)
        of_truth = scores[np.arange(len(scores)), self.nodes]
        return float(-(self.weights * np.log(of_truth + _LEAST_SCORE)).sum())
