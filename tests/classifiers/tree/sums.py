"""What scores of inner classes are in a tree of single labels, in the plainest words: sums of what lies below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tidzam_platform.labels.class_paths import is_within, with_ancestors


def nodes_of(outputs: Sequence[str]) -> list[str]:
    """All classes that the tree answers for: the outputs and every class above one of them, ascending."""
    return with_ancestors(set(outputs))


def node_weights(outputs: Sequence[str]) -> npt.NDArray[np.float32]:
    """Matrix ``[outputs, nodes]`` of 0 and 1 that sums what lies within a node.

    A node's score is the probability that the sound is of it or of any class below, so that a parent never scores
    less than its child.
    """
    nodes = nodes_of(outputs)
    return np.array([[is_within(output, node) for node in nodes] for output in outputs], dtype=np.float32)
