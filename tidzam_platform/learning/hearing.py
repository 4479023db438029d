"""What a tree says of clips: scores and embeddings, both the mean over the clip's windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.features import ClipFeatures, mean_by_clip, patches_on_grid
from tidzam_platform.classifiers.prediction import predict
from tidzam_platform.classifiers.trained_tree import TrainedTree

_CLIPS_AT_ONCE: Final = 200  # patches of all of them lie in memory


@dataclass(frozen=True)
class Heard:
    """Attributes: ``scores`` float64 ``[clips, nodes]`` in [0, 1]; ``embeddings`` float64 ``[clips, d]``."""

    scores: npt.NDArray[np.float64]
    embeddings: npt.NDArray[np.float64]


def hear_clips(tree: TrainedTree, clips: Sequence[ClipFeatures]) -> Heard:
    """What ``tree`` says of ``clips``, whose features are those of its front end; any number of them."""
    scores, embeddings = [], []
    for first in range(0, len(clips), _CLIPS_AT_ONCE):
        some = clips[first : first + _CLIPS_AT_ONCE]
        answers = predict(tree.hearing, patches_on_grid(some, tree.front_end))
        scores.append(mean_by_clip(np.asarray(answers["scores"]), some))
        embeddings.append(mean_by_clip(np.asarray(answers["embedding"]), some))
    if not scores:
        return Heard(np.zeros((0, len(tree.spec.nodes))), np.zeros((0, 1)))
    return Heard(np.concatenate(scores), np.concatenate(embeddings))
