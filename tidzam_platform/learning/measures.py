"""What a label would teach: how unsure a generation is, how far several disagree, how rare a class is.

All take calibrated scores: temperatures were fitted on the validation side. Sources:

- Settles, Active Learning Literature Survey (2009): margin and entropy.
- Seung, Opper, Sompolinsky, Query by committee (1992); McCallum, Nigam, Employing EM and pool-based active learning for
  text classification (1998): disagreement as the mean divergence from the committee's mean.
- Lin, Divergence measures based on the Shannon entropy (1991): that divergence has a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.tree.spec import TreeSpec

FloatArray = npt.NDArray[np.float64]

_LEAST: Final = 1e-12  # what has no logarithm


def leaf_scores(scores: npt.NDArray[np.floating], spec: TreeSpec) -> FloatArray:
    """Scores of the leaves, float64 ``[clips, leaves]`` in [0, 1], from those of all nodes ``[clips, nodes]``.

    Where a clip has one class they are made to add up to 1.
    """
    leaves = np.asarray(scores, np.float64)[:, [spec.nodes.index(leaf) for leaf in spec.leaves]]
    if spec.labels == "single":
        return np.asarray(leaves / np.maximum(leaves.sum(axis=1, keepdims=True), _LEAST))
    return np.asarray(np.clip(leaves, 0.0, 1.0))


def uncertainty(leaves: FloatArray, *, single: bool = True) -> FloatArray:
    """How unsure, float64 ``[clips]``: 0 where one class is certain, 1 where all are as likely.

    Of one class: the mean of two measures, of which the one sees two rivals (the margin between the best two) and
    the other all of them (the entropy over its greatest value). Of several classes: of the class that is least sure,
    its binary entropy.

    Args:
        leaves: of ``leaf_scores``.
        single: whether a clip has one class.
    """
    if not single:
        sure = np.clip(leaves, _LEAST, 1 - _LEAST)
        return np.asarray((_entropy_terms(sure) + _entropy_terms(1 - sure)).max(axis=1) / np.log(2))
    best = np.sort(leaves, axis=1)[:, ::-1]
    margin = best[:, 0] - best[:, 1]
    entropy = _entropy_terms(leaves).sum(axis=1) / np.log(leaves.shape[1])
    return np.asarray((1 - margin + entropy) / 2)


def disagreement(committee: Sequence[FloatArray], *, single: bool = True) -> FloatArray:
    """How far generations differ, float64 ``[clips]`` in [0, 1]: Jensen and Shannon's divergence over its bound.

    Args:
        committee: ``leaf_scores`` of each, over the same classes; one alone agrees with itself.
        single: whether a clip has one class; of several, the class counts that they differ most on.
    """
    votes = np.stack(committee)
    if len(votes) == 1:
        return np.zeros(votes.shape[1])
    mean = votes.mean(axis=0)
    gap = _entropy_terms(mean) - _entropy_terms(votes).mean(axis=0)
    if single:
        found = gap.sum(axis=1)
    else:
        found = (gap + _entropy_terms(1 - mean) - _entropy_terms(1 - votes).mean(axis=0)).max(axis=1)
    bound = np.log(len(votes) if single else 2)
    return np.asarray(np.clip(found / bound, 0.0, 1.0))


def class_need(labelled: Mapping[str, float], classes: Sequence[str]) -> FloatArray:
    """How much each class needs labels, float64 ``[classes]``: 1 for the rarest, falling as the root of the labels.

    A class of four times as many labels needs half as much, as the training draws it (``training.class_balance``).
    """
    weights = 1 / np.sqrt(1 + np.array([labelled.get(name, 0.0) for name in classes]))
    return np.asarray(weights / weights.max())


def _entropy_terms(share: FloatArray) -> FloatArray:
    return np.asarray(-share * np.log(np.maximum(share, _LEAST)))
