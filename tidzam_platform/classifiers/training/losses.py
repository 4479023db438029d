"""The loss of a tree of experts: how unlikely the tree finds a clip's class, along the whole chain of decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.tree.spec import TreeSpec

Loss = Callable[[Any, Any], Any]
_LEAST_SCORE: Final = 1e-9  # keeps the logarithm of a score that underflowed finite


def tree_loss(spec: TreeSpec, *, smoothing: float, focal_gamma: float) -> Loss:
    """Cross-entropy of the combined scores, a hierarchical softmax (Morin and Bengio 2005).

    A clip labelled with an inner class trains the experts above that class and leaves those below alone.

    Args:
        spec: the tree.
        smoothing: share of the target that is spread over all leaves (Szegedy 2016), in [0, 1).
        focal_gamma: 0 for cross-entropy; above, classes that the tree is sure of count less (Lin 2017).

    Returns:
        Function of targets float32 ``[batch, nodes]`` (sum 1) and logits float32 ``[batch, outputs]`` (the
        outputs of all experts, one after the other) to the loss of each example, float32 ``[batch]``, in nats.
    """
    ops = load_keras().ops
    nodes_of_outputs = output_matrix(spec)
    spread = np.array([node in spec.leaves for node in spec.nodes], np.float32)
    spread /= spread.sum()

    def loss(targets: Any, logits: Any) -> Any:
        scores = ops.matmul(ops.exp(output_log_scores(spec, logits)), nodes_of_outputs)
        smooth = targets * (1 - smoothing) + spread * smoothing
        doubt = ops.power(1 - ops.minimum(scores, 1.0), focal_gamma) if focal_gamma else 1.0
        return -ops.sum(smooth * doubt * ops.log(scores + _LEAST_SCORE), axis=-1)

    return loss


def output_log_scores(spec: TreeSpec, logits: Any) -> Any:
    """Logarithm of the combined score of every output of every expert, float32 ``[batch, outputs]``."""
    keras = load_keras()
    within, start = [], 0
    for expert in spec.experts:
        stop = start + len(expert.outputs)
        within.append(keras.ops.log_softmax(logits[:, start:stop], axis=-1))
        start = stop
    return keras.ops.matmul(keras.ops.concatenate(within, axis=-1), chain_matrix(spec))


def all_outputs(spec: TreeSpec) -> list[str]:
    """Outputs of all experts, one after the other: the order of the logits."""
    return [output for expert in spec.experts for output in expert.outputs]


def chain_matrix(spec: TreeSpec) -> npt.NDArray[np.float32]:
    """``[outputs, outputs]``: column ``j`` marks the outputs whose log-probabilities add up to that of ``j``."""
    outputs = all_outputs(spec)
    index_of = {output: index for index, output in enumerate(outputs)}
    matrix = np.eye(len(outputs), dtype=np.float32)
    for expert in spec.experts[1:]:  # parents stand before children: their columns are complete
        for output in expert.outputs:
            matrix[:, index_of[output]] += matrix[:, index_of[expert.name]]
    return matrix


def output_matrix(spec: TreeSpec) -> npt.NDArray[np.float32]:
    """``[outputs, nodes]``: a node is its own output, or the sum of the outputs nearest below it."""
    outputs = all_outputs(spec)
    matrix = np.zeros((len(outputs), len(spec.nodes)), np.float32)
    for column, node in enumerate(spec.nodes):
        for output in [node] if node in outputs else _nearest_below(node, outputs):
            matrix[outputs.index(output), column] = 1
    return matrix


def _nearest_below(node: str, outputs: list[str]) -> list[str]:
    below = [output for output in outputs if output.startswith(f"{node}-")]
    return [one for one in below if not any(one.startswith(f"{other}-") for other in below)]
