"""The loss of a tree where any number of classes sounds at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.training.targets import output_truths
from tidzam_platform.classifiers.tree.spec import TreeSpec
from tidzam_platform.labels.class_paths import is_within

_NEVER: Final = -1e9  # a logit that is no maximum


def multi_label_loss(spec: TreeSpec, smoothing: float, focal_gamma: float) -> Callable[[Any, Any], Any]:
    """Binary cross-entropy of each expert's outputs, which count only where the class that the expert divides sounds.

    This trains conditional probabilities (Chen et al. 2019, "Deep Hierarchical Multi-Label Classification of Chest
    X-ray Images"). By the chain rule their sum is the likelihood of all classes, and a clip without birds teaches the
    expert for birds nothing. Arguments and result as ``losses.tree_loss``.
    """
    ops = load_keras().ops
    inner = _InnerLabels(spec)

    def surprise(logits: Any) -> Any:
        """Minus the logarithm of the sigmoid, less of it where that is sure."""
        doubt = ops.exp(focal_gamma * ops.log_sigmoid(-logits)) if focal_gamma else 1.0
        return -doubt * ops.log_sigmoid(logits)

    def loss(targets: Any, logits: Any) -> Any:
        truths = output_truths(spec, targets)
        either = (truths.yes + truths.no) * (smoothing / 2)
        yes, no = truths.yes * (1 - smoothing) + either, truths.no * (1 - smoothing) + either
        of_outputs = ops.sum(yes * surprise(logits) + no * surprise(-logits), axis=-1)
        if not inner.any:
            return of_outputs
        of_inner = inner.weights(targets) * surprise(inner.likeliest_below(logits))
        return of_outputs + ops.sum(of_inner, axis=-1)

    return loss


class _InnerLabels:
    """Labels on classes that are no output: one of the outputs below is there, nobody said which.

    The likeliest of them has to be sure, as in the loss under a maximum constraint (Giunchiglia and Lukasiewicz 2020,
    "Coherent Hierarchical Multi-Label Classification Networks").
    """

    def __init__(self, spec: TreeSpec) -> None:
        inner = [node for node in spec.nodes if node not in spec.outputs]
        index_of = {node: index for index, node in enumerate(spec.nodes)}
        child_of = [next(one for one in spec.nodes if spec.parent_of(one) == node) for node in inner]
        self._count = len(spec.nodes)
        self._own = np.array([index_of[node] for node in inner])
        self._child = np.array([index_of[child] for child in child_of])
        nearest = {node: spec.expert_of(node).outputs for node in inner}
        self._below = np.array(
            [[one in nearest[node] and is_within(one, node) for one in spec.outputs] for node in inner], bool
        )
        self.any = bool(inner)

    def weights(self, targets: Any) -> Any:
        """Share of each clip with a label that ends here: what lies below is open, but this class is not."""
        ops = load_keras().ops
        open_ = targets[:, 2 * self._count :] - targets[:, self._count : 2 * self._count]
        return ops.take(open_, self._child, axis=1) - ops.take(open_, self._own, axis=1)

    def likeliest_below(self, logits: Any) -> Any:
        """The highest logit below each of these classes, float32 ``[batch, classes]``."""
        ops = load_keras().ops
        return ops.max(ops.where(self._below, logits[:, None, :], _NEVER), axis=-1)
