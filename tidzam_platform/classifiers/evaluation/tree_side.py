"""A trained tree on the clips of a side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.classifiers.decision import ClassNode, MultiLabelDecider
from tidzam_platform.classifiers.evaluation.answers import Evaluation, compare
from tidzam_platform.classifiers.evaluation.clips import best_classes
from tidzam_platform.classifiers.evaluation.multi_label import (
    MultiLabelEvaluation,
    MultiLabelFigures,
    heard_flags,
    multi_label_figures,
)
from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.training.targets import node_labels, node_truths, targets_of
from tidzam_platform.errors import TrainingError


def evaluate_tree(tree: TrainedTree, clips: Sequence[ClipFeatures]) -> Evaluation:
    """Figures of the leaf with the highest mean score over each clip's windows.

    Of a tree of several labels the figures of each leaf are against the set of true classes, at its threshold
    (``MultiLabelEvaluation``).

    Raises:
        TrainingError: no clips.
    """
    if not clips:
        raise TrainingError("no clips to evaluate on; label clips in at least three groups a class")
    scores = tree.clip_scores(clips)
    best = best_classes(scores[:, _leaves(tree)], tree.spec.leaves)
    closed = compare([clip.class_paths for clip in clips], best)
    if tree.spec.labels == "single":
        return closed
    figures = _figures_of_leaves(tree, scores, clips)
    values = {**vars(closed), "macro_f1": figures.macro_f1, "per_class": figures.per_class}
    return MultiLabelEvaluation(**values, ranking=figures.ranking, macro=figures.macro)


def _leaves(tree: TrainedTree) -> list[int]:
    return [tree.spec.nodes.index(leaf) for leaf in tree.spec.leaves]


def _figures_of_leaves(
    tree: TrainedTree, scores: NDArray[np.float64], clips: Sequence[ClipFeatures]
) -> MultiLabelFigures:
    spec, columns = tree.spec, _leaves(tree)
    nodes = [ClassNode(node, spec.parent_of(node), tree.thresholds[node]) for node in spec.nodes]
    loud = np.zeros(len(clips), np.float32)  # the level gate has no part in this
    sounds = MultiLabelDecider(nodes, -1.0).sounds(scores.astype(np.float32), loud)
    truths = node_truths(spec, targets_of([node_labels(clip, spec) for clip in clips], spec.nodes))
    return multi_label_figures(
        scores[:, columns],
        heard_flags(sounds, spec.leaves),
        truths.yes[:, columns] > 0,
        (truths.yes + truths.no)[:, columns] > 0,
        spec.leaves,
    )
