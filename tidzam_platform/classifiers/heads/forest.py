"""A random forest on embeddings, evaluated by table look-ups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.heads.examples import checked_examples

TREES: Final = 100
MAX_DEPTH: Final = 16  # a look-up in the graph for each level; deeper trees gain little and grow the model
MIN_EXAMPLES_IN_A_LEAF: Final = 2
_LEAST: Final = 1e-30  # below any mean of 100 leaves
_NEVER: Final = -1e4  # logit of probability 0


def fit(
    embeddings: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    classes: int,
    *,
    weights: npt.NDArray[np.floating[Any]] | None = None,
    seed: int,
) -> dict[str, npt.NDArray[Any]]:
    """scikit-learn's random forest with balanced classes, as arrays; see ``heads.Fit``.

    The nodes of all trees stand in one list. A leaf points to itself, so that ``depth`` steps from a root end in a
    leaf of any tree.

    Returns:
        ``root`` int32 ``[trees]``; ``feature``, ``left``, ``right`` and ``leaf`` int32 ``[nodes]``; ``threshold``
        float32 ``[nodes]``; ``probabilities`` float32 ``[leaves, classes]``, to which ``leaf`` points; ``depth`` int32.
    """
    from sklearn.ensemble import RandomForestClassifier

    examples = checked_examples(embeddings, labels, classes, weights)
    forest = RandomForestClassifier(
        TREES,
        max_depth=MAX_DEPTH,
        min_samples_leaf=MIN_EXAMPLES_IN_A_LEAF,
        class_weight="balanced",
        random_state=seed,
    )
    forest.fit(examples.embeddings, examples.labels, sample_weight=examples.weights)
    return as_arrays(forest, classes)


def as_arrays(forest: Any, classes: int) -> dict[str, npt.NDArray[Any]]:
    """A fitted ``RandomForestClassifier`` as the arrays of ``fit``; its labels are 0 to ``classes`` - 1."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    counts = [tree.node_count for tree in trees]
    root = np.cumsum([0, *counts[:-1]])
    start = np.repeat(root, counts)  # of the tree of each node
    own = np.arange(sum(counts))
    left = np.concatenate([tree.children_left for tree in trees])
    right = np.concatenate([tree.children_right for tree in trees])
    is_leaf = left < 0
    values = np.concatenate([tree.value[:, 0, :] for tree in trees])[is_leaf]
    probabilities = np.zeros((len(values), classes))
    probabilities[:, forest.classes_] = values / values.sum(axis=1, keepdims=True)
    return {
        "root": root.astype(np.int32),
        "feature": np.where(is_leaf, 0, np.concatenate([tree.feature for tree in trees])).astype(np.int32),
        "threshold": _rounded_down(np.concatenate([tree.threshold for tree in trees])),
        "left": np.where(is_leaf, own, left + start).astype(np.int32),
        "right": np.where(is_leaf, own, right + start).astype(np.int32),
        "leaf": (np.cumsum(is_leaf) - 1).astype(np.int32),
        "probabilities": probabilities.astype(np.float32),
        "depth": np.array(max(tree.max_depth for tree in trees), dtype=np.int32),
    }


def apply(arrays: Mapping[str, npt.NDArray[Any]], embedding: Any) -> Any:
    """Logarithm of the mean over the trees of their leaf's probabilities; see ``heads.Apply``."""
    ops = load_keras().ops
    node = ops.zeros_like(embedding[:, :1], dtype="int32") + arrays["root"]  # [batch, trees]
    for _ in range(int(arrays["depth"])):
        value = ops.take_along_axis(embedding, ops.take(arrays["feature"], node), axis=1)
        goes_left = value <= ops.take(arrays["threshold"], node)
        node = ops.where(goes_left, ops.take(arrays["left"], node), ops.take(arrays["right"], node))
    mean = ops.mean(ops.take(arrays["probabilities"], ops.take(arrays["leaf"], node), axis=0), axis=1)
    return ops.where(mean > 0, ops.log(ops.maximum(mean, _LEAST)), _NEVER)


def _rounded_down(thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """The greatest float32 that is not above: ``x <= threshold`` then answers as scikit-learn for every float32 x."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
