"""What a training came to: figures and pictures of the test side, and the tree itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.evaluation import Evaluation, confusion_picture
from tidzam_platform.classifiers.evaluation.calibration_figures import (
    expected_calibration_error,
    reliability_table,
)
from tidzam_platform.classifiers.evaluation.clips import best_classes
from tidzam_platform.classifiers.evaluation.pictures import reliability_picture
from tidzam_platform.classifiers.features import ClipFeatures, mean_by_clip, patches_on_grid
from tidzam_platform.classifiers.network import trunk_of
from tidzam_platform.classifiers.prediction import predict
from tidzam_platform.classifiers.tensorboard.event_file import EventFile
from tidzam_platform.classifiers.tensorboard.feature_maps import feature_maps
from tidzam_platform.classifiers.tensorboard.model_graph import graph_of
from tidzam_platform.classifiers.tensorboard.projector import write_projector
from tidzam_platform.classifiers.trained_tree import TrainedTree


def write_result(
    folder: Path, tree: TrainedTree, clips: Sequence[ClipFeatures], evaluation: Evaluation
) -> None:
    """Write the run of a trained tree.

    Histograms are of the weights that came out, once: what counts is the running mean of the best epoch. The weights
    that each epoch ends with are heard by nobody.

    Args:
        folder: of the run.
        tree: as trained and calibrated.
        clips: of the test side, at least one.
        evaluation: its figures on them.

    Raises:
        OSError: the disk does not take it.
        TrainingError: there are no clips, or the tree's scores are no numbers.
    """
    file = EventFile(folder)
    patches = patches_on_grid(clips, tree.front_end)
    answers = predict(tree.hearing, patches)
    confidence, right = _best_leaves(tree, clips, answers["scores"])
    ece = expected_calibration_error(confidence, right)
    figures = {"macro_f1": evaluation.macro_f1, "accuracy": evaluation.accuracy, "ece": ece}
    f1 = {f"f1/{name}": one.f1 for name, one in evaluation.per_class.items() if one.clips}
    file.scalars(0, figures | f1)
    file.image("confusion_matrix", confusion_picture(evaluation))
    file.image("reliability_diagram", reliability_picture(reliability_table(confidence, right), ece))
    for tag, values in _weights(tree):
        file.histogram(tag, values)
    file.graph(graph_of(tree))
    for picture in feature_maps(tree, clips):
        file.image(picture.tag, picture.png, picture.description)
    first = trunk_of(tree.spec.experts[0])  # whose embedding ``hearing`` gives beside the scores
    embeddings = {
        name: answers["embedding"] if name == first else predict(tree.embedder(name), patches)
        for name in tree.trunks
    }
    points = {name: mean_by_clip(np.asarray(rows), clips) for name, rows in embeddings.items()}
    write_projector(folder, clips, points)


def _best_leaves(
    tree: TrainedTree, clips: Sequence[ClipFeatures], window_scores: Any
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Of each clip the score of its best leaf, and whether that is one of its classes."""
    leaves = tree.spec.leaves
    columns = [tree.spec.nodes.index(leaf) for leaf in leaves]
    scores = mean_by_clip(np.asarray(window_scores), clips)[:, columns]
    best = best_classes(scores, leaves)
    right = np.array([answer in clip.class_paths for answer, clip in zip(best, clips, strict=True)])
    return scores.max(axis=1), right


def _weights(tree: TrainedTree) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Every array of weights with its tag; a forest's indices are none."""
    for name, trunk in tree.trunks.items():
        for weight in trunk.model.weights:
            yield f"weights/trunk_{name}/{weight.path}", np.asarray(weight.numpy(), np.float32)
    for name, head in tree.heads.items():
        for part, array in head.arrays.items():
            if np.issubdtype(array.dtype, np.floating):
                yield f"weights/head_{name}/{part}", array
