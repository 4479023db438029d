"""Calibration on the validation side: temperatures of the experts, then thresholds of the nodes.

Both are fitted on the scores of whole clips (mean over their windows), which is what people are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.features import ClipFeatures, mean_by_clip, patches_on_grid
from tidzam_platform.classifiers.network import trunk_of
from tidzam_platform.classifiers.prediction import predict
from tidzam_platform.classifiers.thresholds import fit_thresholds
from tidzam_platform.classifiers.trained_tree import Head, TrainedTree
from tidzam_platform.classifiers.tree.spec import ExpertSpec, TreeSpec

_TEMPERATURES: Final = (0.25, 4.0)  # nothing sane lies outside
_LEAST_PROBABILITY: Final = 1e-9
_MIN_CLIPS: Final = 20  # with fewer a temperature would be noise


def calibrate(
    tree: TrainedTree, clips: Sequence[ClipFeatures], *, precision: float, least: float
) -> TrainedTree:
    """The tree with temperatures, then thresholds for ``precision``, fitted on clips that no training saw.

    Args:
        tree: as trained.
        clips: of the validation side; classes that the tree does not know are passed over.
        precision: what each class shall reach among the clips that are given to it, in (0, 1).
        least: no threshold is lower, and it stands where clips are too few to say anything.
    """
    labelled = [(clip, node) for clip in clips if (node := tree.spec.covers(clip.class_paths[0]))]
    known = [clip for clip, _ in labelled]
    nodes = [node for _, node in labelled]
    thresholds = dict.fromkeys(tree.spec.nodes, least)
    if not known:
        return replace(tree, thresholds=thresholds)
    patches = patches_on_grid(known, tree.front_end)
    heads = dict(tree.heads)
    embeddings = {name: trunk_embeddings(tree, name, patches) for name in tree.trunks}
    for expert in tree.spec.experts:
        embedding = embeddings[trunk_of(expert)]
        heads[expert.name] = _with_temperature(heads[expert.name], expert, tree.spec, embedding, known, nodes)
    warm = replace(tree, heads=heads)
    scores = warm.clip_scores(known)
    thresholds |= _thresholds(tree.spec, scores, nodes, precision, least)
    return replace(warm, thresholds=thresholds)


def trunk_embeddings(
    tree: TrainedTree, trunk: str, patches: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Embeddings of windows by one trunk, float32 ``[windows, d]``."""
    return np.asarray(predict(tree.embedder(trunk), patches))


def _with_temperature(
    head: Head,
    expert: ExpertSpec,
    spec: TreeSpec,
    embedding: npt.NDArray[np.float32],
    clips: Sequence[ClipFeatures],
    nodes: Sequence[str],
) -> Head:
    """The temperature at which the expert finds the truth of the clips that reach it most likely."""
    from scipy.optimize import minimize_scalar

    chosen = [_decision(spec, expert.name, node) for node in nodes]
    rows = [index for index, output in enumerate(chosen) if output is not None]
    if len(rows) < _MIN_CLIPS:
        return head
    truth = np.array([chosen[index] for index in rows])
    starts = np.cumsum([0, *(len(clip.offsets) for clip in clips)])
    windows = np.concatenate([np.arange(starts[index], starts[index + 1]) for index in rows])
    reached = [clips[index] for index in rows]

    def doubt(log_temperature: float) -> float:
        tried = replace(head, temperature=float(np.exp(log_temperature)))
        mean = mean_by_clip(np.asarray(tried.probabilities(embedding[windows])), reached)
        of_truth = mean[np.arange(len(truth)), truth]
        return float(-np.log(of_truth + _LEAST_PROBABILITY).mean())

    found: Any = minimize_scalar(doubt, bounds=np.log(_TEMPERATURES), method="bounded")
    return replace(head, temperature=float(np.exp(found.x)))


def _decision(spec: TreeSpec, expert: str, node: str) -> int | None:
    """Which output of the expert leads to the node; None if its clips do not pass it, or end there."""
    for name, output in spec.path_to(node):
        if name == expert:
            return output
    return None


def _thresholds(
    spec: TreeSpec, scores: npt.NDArray[np.float64], nodes: Sequence[str], precision: float, least: float
) -> dict[str, float]:
    """Fitted level by level, since a decision goes from the top down among siblings."""
    index_of = {node: index for index, node in enumerate(spec.nodes)}
    fitted: dict[str, float] = {}
    for parent in {spec.parent_of(node) for node in spec.nodes}:
        siblings = [node for node in spec.nodes if spec.parent_of(node) == parent]
        # A clip of another branch counts against whoever claims it: truth -1 is nobody's.
        truth = np.array([_branch(siblings, node) for node in nodes])
        columns = scores[:, [index_of[node] for node in siblings]]
        found = fit_thresholds(columns, truth, precision=precision, minimum=least)
        fitted |= dict(zip(siblings, np.asarray(found.thresholds, float).tolist(), strict=True))
    return fitted


def _branch(siblings: Sequence[str], node: str) -> int:
    for index, sibling in enumerate(siblings):
        if node == sibling or node.startswith(f"{sibling}-"):
            return index
    return -1
