"""What labels say of every node of a tree: the targets of training, and the truth that calibration is fitted on.

Targets are three parts side by side, ``[clips, 3 x nodes]``, the same for both kinds of tree:

- **shares**: 1 / n at each of a clip's n labels. A tree of single labels learns from these.
- **sure**: 1 at each label and every class above one: what certainly sounds.
- **possible**: 1 at what may sound: the sure ones and, as nobody said which, all classes below a label that has no
  other label below it. A clip that is just ``animal`` may be a bird.

Mixup mixes all parts as they are. The loss of a tree of several labels is linear in them, so that the loss of a mixed
clip is the mean of its parts' losses by their shares of the mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.tree.spec import SELECTOR, TreeSpec
from tidzam_platform.labels.class_paths import is_within

_LEAST_SCORE: Final = 1e-9  # keeps the logarithm of a score that underflowed finite

FloatArray = npt.NDArray[np.float32]
ClipLabels = Sequence[Sequence[int]]
"""Indices of nodes of each clip."""


def targets_of(labels: ClipLabels, nodes: Sequence[str]) -> FloatArray:
    """Shares, sure and possible classes of each clip, float32 ``[clips, 3 x nodes]``; see the module.

    Args:
        labels: indices into ``nodes``; a clip without any has none of the classes.
        nodes: of the tree, in its order.
    """
    within = np.array([[is_within(node, other) for other in nodes] for node in nodes])
    made = np.zeros((len(labels), 3, len(nodes)), np.float32)
    for (shares, sure, possible), own in zip(made, map(list, labels), strict=True):
        shares[own] = 1 / max(len(own), 1)
        sure[:] = within[own].any(axis=0)
        deepest = [label for label in own if within[own, label].sum() == 1]
        possible[:] = sure + within[:, deepest].any(axis=1) > 0
    return made.reshape(len(labels), -1)


def labelled_clips(
    clips: Sequence[ClipFeatures], spec: TreeSpec
) -> tuple[list[ClipFeatures], list[tuple[int, ...]]]:
    """The clips that have a class of the tree, and the indices of their nodes, ascending."""
    labels = [node_labels(clip, spec) for clip in clips]
    return [clip for clip, own in zip(clips, labels, strict=True) if own], [own for own in labels if own]


def node_labels(clip: ClipFeatures, spec: TreeSpec) -> tuple[int, ...]:
    """Indices of the nodes that the clip's classes lie at or under, ascending; none if the tree knows none of them."""
    covering = {node for path in clip.class_paths if (node := spec.covers(path))}
    return tuple(sorted(spec.nodes.index(node) for node in covering))


@dataclass(frozen=True)
class Truths:
    """What is known of the classes of clips.

    Attributes:
        yes: float ``[clips, classes]``, weight of the class being there.
        no: likewise, weight of it not being there; neither where nobody knows or it does not matter.
    """

    yes: Any
    no: Any

    def doubt(self, scores: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """How unlikely scores ``[clips, classes]`` in [0, 1] find the truth: float64 ``[clips]``, in nats."""
        there, away = (np.log(np.maximum(part, 0) + _LEAST_SCORE) for part in (scores, 1 - scores))
        return np.asarray(-(self.yes * there + self.no * away).sum(axis=1), np.float64)


def node_truths(spec: TreeSpec, targets: FloatArray) -> Truths:
    """Of the combined scores of all nodes. Where one class sounds, its score says all; else every node counts."""
    shares, sure, possible = np.split(targets, 3, axis=1)
    return Truths(sure, 1 - possible) if spec.labels == "multi" else Truths(shares, np.zeros_like(shares))


def output_truths(spec: TreeSpec, targets: Any) -> Truths:
    """Of every expert's outputs within the expert, for arrays and tensors ``[batch, 3 x nodes]``.

    An output is there if its class is sure. It is not there if it is not possible, though the class that its expert
    divides is: where that class does not sound, what lies below it is no question. (In a tree of single labels what
    is not there follows from what is, and does not count again.)

    Returns:
        Tensors float32 ``[batch, outputs]``, the experts one after the other.
    """
    ops = load_keras().ops
    index_of = {node: index for index, node in enumerate(spec.nodes)}
    count = len(index_of)
    own = np.array([index_of[output] for output in spec.outputs])
    yes = ops.take(targets, own + count, axis=1)
    if spec.labels == "single":
        return Truths(yes, ops.zeros_like(yes))
    always = 3 * count  # what the selector divides, everything, may always sound
    above = [
        always if expert.name == SELECTOR else 2 * count + index_of[expert.name]
        for expert in spec.experts
        for _ in expert.outputs
    ]
    columns = ops.concatenate([targets, ops.ones_like(targets[:, :1])], axis=1)
    possible_above, possible = (ops.take(columns, at, axis=1) for at in (np.array(above), own + 2 * count))
    return Truths(yes, possible_above - possible)
