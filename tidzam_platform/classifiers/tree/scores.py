"""Combined scores: from the probabilities within each expert to one score for every node of the tree.

The combined score of an output is the score of its expert's class times its probability within the expert, at any
depth; a node that is no output of an expert joins the outputs nearest below it (all of one expert): their sum in a
tree of single labels, their maximum in one of several (``activation``).

The graph gathers columns by constant indices and multiplies them, one gather for each level of experts, however many
experts there are. A product with a constant 0-1 matrix would say the same, but a GPU multiplies matrices with the
10-bit mantissa of TF32 and would return other scores than the CPU that the thresholds were fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.tree.spec import TreeSpec
from tidzam_platform.errors import TreeError
from tidzam_platform.labels.class_paths import is_within


@dataclass(frozen=True)
class _Plan:
    """Which columns to gather. Columns are the outputs of all experts in turn, zeros, ones, then the joined.

    Attributes:
        groups: int32 ``[groups, most]``, the columns that are joined to one, filled up with the column of zeros.
        factors: int32 ``[depth, nodes]``, the columns that multiply to each node's score, from the top down, filled
            up with the column of ones. Nodes of one chain share their first factors, so that rounding is the same
            in a parent and in its child, and a child never exceeds its parent.
    """

    groups: npt.NDArray[np.int32]
    factors: npt.NDArray[np.int32]


def node_scores(tree: TreeSpec, expert_probabilities: Mapping[str, Any]) -> Any:
    """Score of every node of the tree, for arrays, tensors of the backend and symbolic tensors of Keras.

    Args:
        tree: of experts.
        expert_probabilities: for each expert's name, float ``[batch, outputs]`` in [0, 1], as ``tree.activation``
            gives them.

    Returns:
        Tensor ``[batch, nodes]`` in [0, 1], in the order of ``tree.nodes``. Where a clip has a single label, what an
        expert divides sums to its parent's score, within rounding.

    Raises:
        TreeError: an expert is missing or too many, or has another number of outputs.
    """
    ops = load_keras().ops
    _check_probabilities(tree, expert_probabilities)
    plan = _plan(tree)
    given = [ops.convert_to_tensor(expert_probabilities[expert.name]) for expert in tree.experts]
    first = given[0][:, :1]
    columns = ops.concatenate([*given, ops.zeros_like(first), ops.ones_like(first)], axis=1)
    if len(plan.groups):
        joined = tree.activation.joined(ops.take(columns, plan.groups, axis=1))
        columns = ops.concatenate([columns, joined], axis=1)
    scores = ops.take(columns, plan.factors[0], axis=1)
    for factors in plan.factors[1:]:
        scores = scores * ops.take(columns, factors, axis=1)
    return scores


def _plan(tree: TreeSpec) -> _Plan:
    first_columns, count = {}, 0
    for expert in tree.experts:
        first_columns[expert.name] = count
        count += len(expert.outputs)
    zeros, ones = count, count + 1
    groups: list[list[int]] = []
    chains: list[list[int]] = []
    for node in tree.nodes:
        chain = [first_columns[name] + index for name, index in tree.path_to(node)]
        expert = tree.expert_of(node)
        if node not in expert.outputs:
            below = [
                first_columns[expert.name] + index
                for index, output in enumerate(expert.outputs)
                if is_within(output, node)
            ]
            if len(below) > 1:
                groups.append(below)
                below = [ones + len(groups)]
            chain += below
        chains.append(chain)
    most, depth = max(map(len, groups), default=0), max(map(len, chains))
    filled = [row + [zeros] * (most - len(row)) for row in groups]
    return _Plan(
        groups=np.array(filled, np.int32).reshape(len(groups), most),
        factors=np.array([row + [ones] * (depth - len(row)) for row in chains], np.int32).T,
    )


def _check_probabilities(tree: TreeSpec, expert_probabilities: Mapping[str, Any]) -> None:
    names = [expert.name for expert in tree.experts]
    if set(names) != set(expert_probabilities):
        raise TreeError(
            f"probabilities of the experts {', '.join(sorted(expert_probabilities)) or 'none'} were given; "
            f"the tree has {', '.join(names)}"
        )
    for expert in tree.experts:
        shape = tuple(expert_probabilities[expert.name].shape)
        if len(shape) != 2 or shape[1] != len(expert.outputs):
            raise TreeError(
                f"expert {expert.name!r} gave probabilities of shape {shape}, not [batch, {len(expert.outputs)}]"
            )
