"""The loss of a tree of experts: how unlikely the tree finds a clip's classes, along the whole chain of decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.training.multi_label_loss import multi_label_loss
from tidzam_platform.classifiers.tree.spec import TreeSpec

Loss = Callable[[Any, Any], Any]
_LEAST_SCORE: Final = 1e-9  # keeps the logarithm of a score that underflowed finite


def tree_loss(spec: TreeSpec, *, smoothing: float, focal_gamma: float) -> Loss:
    """How unlikely the tree finds the truth: ``single_label_loss`` or ``multi_label_loss``.

    In both a clip labelled with an inner class trains the experts above that class and leaves those below alone.

    Args:
        spec: the tree.
        smoothing: share of the target that is spread over the answers that there are, all leaves, or yes and no
            (Szegedy 2016), in [0, 1).
        focal_gamma: 0 for cross-entropy; above, answers that the tree is sure of count less (Lin 2017).

    Returns:
        Function of targets float32 ``[batch, 3 x nodes]`` (``targets_of``) and logits float32 ``[batch, outputs]``
        (the outputs of all experts, one after the other) to the loss of each example, float32 ``[batch]``, in nats.
    """
    make = single_label_loss if spec.labels == "single" else multi_label_loss
    return make(spec, smoothing, focal_gamma)


def single_label_loss(spec: TreeSpec, smoothing: float, focal_gamma: float) -> Loss:
    """Cross-entropy of the combined scores, a hierarchical softmax (Morin and Bengio 2005); see ``tree_loss``."""
    ops = load_keras().ops
    nodes_of_outputs = output_matrix(spec)
    spread = np.array([node in spec.leaves for node in spec.nodes], np.float32)
    spread /= spread.sum()

    def loss(targets: Any, logits: Any) -> Any:
        scores = ops.matmul(ops.exp(output_log_scores(spec, logits)), nodes_of_outputs)
        smooth = targets[:, : len(spread)] * (1 - smoothing) + spread * smoothing
        doubt = ops.power(1 - ops.minimum(scores, 1.0), focal_gamma) if focal_gamma else 1.0
        return -ops.sum(smooth * doubt * ops.log(scores + _LEAST_SCORE), axis=-1)

    return loss


def output_log_scores(spec: TreeSpec, logits: Any) -> Any:
    """Logarithm of the combined score of every output of every expert, float32 ``[batch, outputs]``."""
    keras = load_keras()
    within = [spec.activation.log_probabilities(part) for part in by_expert(spec, logits).values()]
    return keras.ops.matmul(keras.ops.concatenate(within, axis=-1), chain_matrix(spec))


def by_expert(spec: TreeSpec, logits: Any) -> dict[str, Any]:
    """The columns of ``[batch, outputs]`` that belong to each expert, in the order of the experts."""
    parts, start = {}, 0
    for expert in spec.experts:
        stop = start + len(expert.outputs)
        parts[expert.name] = logits[:, start:stop]
        start = stop
    return parts


def chain_matrix(spec: TreeSpec) -> npt.NDArray[np.float32]:
    """``[outputs, outputs]``: column ``j`` marks the outputs whose log-probabilities add up to that of ``j``."""
    index_of = {output: index for index, output in enumerate(spec.outputs)}
    matrix = np.eye(len(index_of), dtype=np.float32)
    for expert in spec.experts[1:]:  # parents stand before children: their columns are complete
        for output in expert.outputs:
            matrix[:, index_of[output]] += matrix[:, index_of[expert.name]]
    return matrix


def output_matrix(spec: TreeSpec) -> npt.NDArray[np.float32]:
    """``[outputs, nodes]``: a node is its own output, or the sum of the outputs nearest below it."""
    outputs = list(spec.outputs)
    matrix = np.zeros((len(outputs), len(spec.nodes)), np.float32)
    for column, node in enumerate(spec.nodes):
        for output in [node] if node in outputs else _nearest_below(node, outputs):
            matrix[outputs.index(output), column] = 1
    return matrix


def _nearest_below(node: str, outputs: list[str]) -> list[str]:
    below = [output for output in outputs if output.startswith(f"{node}-")]
    return [one for one in below if not any(one.startswith(f"{other}-") for other in below)]
