"""A trained tree on the clips of a side."""

from __future__ import annotations

from collections.abc import Sequence

from tidzam_platform.classifiers.evaluation.answers import Evaluation, compare
from tidzam_platform.classifiers.evaluation.clips import best_classes
from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.errors import TrainingError


def evaluate_tree(tree: TrainedTree, clips: Sequence[ClipFeatures]) -> Evaluation:
    """Figures of the leaf with the highest mean score over each clip's windows.

    Raises:
        TrainingError: no clips.
    """
    if not clips:
        raise TrainingError("no clips to evaluate on; label clips in at least three groups a class")
    columns = [tree.spec.nodes.index(leaf) for leaf in tree.spec.leaves]
    scores = tree.clip_scores(clips)[:, columns]
    return compare([clip.class_paths for clip in clips], best_classes(scores, tree.spec.leaves))
