"""Calibration on the validation side: temperatures of the experts, then thresholds of the nodes.

Both are fitted on the scores of whole clips (mean over their windows), which is what people are shown. Where a clip has
a single label, classes of one level are rivals and share a fit; where it may have several, each class answers for
itself.
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
from tidzam_platform.classifiers.thresholds import fit_independent_thresholds, fit_thresholds
from tidzam_platform.classifiers.trained_tree import Head, TrainedTree
from tidzam_platform.classifiers.training.losses import by_expert
from tidzam_platform.classifiers.training.targets import (
    Truths,
    labelled_clips,
    node_truths,
    output_truths,
    targets_of,
)
from tidzam_platform.classifiers.tree.activation import Activation
from tidzam_platform.classifiers.tree.spec import TreeSpec

_TEMPERATURES: Final = (0.25, 4.0)  # nothing sane lies outside
# Mixup and the mean over windows leave clips less sure than right: fits on many clips lay between 0.68 and 0.80.
_USUAL_TEMPERATURE: Final = 0.75
_PRIOR_CLIPS: Final = 15
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
    known, labels = labelled_clips(clips, tree.spec)
    thresholds = dict.fromkeys(tree.spec.nodes, least)
    if not known:
        return replace(tree, thresholds=thresholds)
    patches = patches_on_grid(known, tree.front_end)
    heads = dict(tree.heads)
    embeddings = {name: trunk_embeddings(tree, name, patches) for name in tree.trunks}
    targets = targets_of(labels, tree.spec.nodes)
    truths = output_truths(tree.spec, targets)
    yes, no = (by_expert(tree.spec, np.asarray(part)) for part in (truths.yes, truths.no))
    for expert in tree.spec.experts:
        embedding = embeddings[trunk_of(expert)]
        there, away = yes[expert.name], no[expert.name]
        if tree.spec.labels == "single":  # whatever is not there is away
            away = there.any(axis=1, keepdims=True) - there
        of_expert = Truths(there, away)
        heads[expert.name] = _with_temperature(
            heads[expert.name], tree.spec.activation, embedding, known, of_expert
        )
    warm = replace(tree, heads=heads)
    fit = _thresholds_of_siblings if tree.spec.labels == "single" else _thresholds_of_each
    thresholds |= fit(tree.spec, warm.clip_scores(known), targets, precision, least)
    return replace(warm, thresholds=thresholds)


def trunk_embeddings(
    tree: TrainedTree, trunk: str, patches: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Embeddings of windows by one trunk, float32 ``[windows, d]``."""
    return np.asarray(predict(tree.embedder(trunk), patches))


def _with_temperature(
    head: Head,
    activation: Activation,
    embedding: npt.NDArray[np.float32],
    clips: Sequence[ClipFeatures],
    truths: Truths,
) -> Head:
    """The temperature with the least Brier score (1950) over the clips that reach the expert, and near what is usual.

    The likelihood (Guo 2017) is ruled by the few clips that are sure and wrong: it makes all others less sure than
    they are right. And on a hundred clips either scatters by a sixth. Fitted on random thirds of the answers of four
    trainings, tested on the rest, the calibration error was 0.049 (likelihood), 0.049 (Brier score) and 0.043 (Brier
    score and a prior worth 15 clips), with 0.042 the least that any temperature gave.
    """
    from scipy.optimize import minimize_scalar

    rows = np.flatnonzero((truths.yes + truths.no).any(axis=1)).tolist()
    if len(rows) < _MIN_CLIPS:
        return head
    of_rows = Truths(truths.yes[rows], truths.no[rows])
    starts = np.cumsum([0, *(len(clip.offsets) for clip in clips)])
    windows = np.concatenate([np.arange(starts[index], starts[index + 1]) for index in rows])
    reached = [clips[index] for index in rows]

    def doubt(log_temperature: float) -> float:
        tried = replace(head, temperature=float(np.exp(log_temperature)))
        probabilities = np.asarray(tried.probabilities(embedding[windows], activation))
        scores = mean_by_clip(probabilities, reached)
        brier = (of_rows.yes * (1 - scores) ** 2 + of_rows.no * scores**2).sum(axis=1).mean()
        return float(brier + _PRIOR_CLIPS / len(rows) * (log_temperature - np.log(_USUAL_TEMPERATURE)) ** 2)

    found: Any = minimize_scalar(doubt, bounds=np.log(_TEMPERATURES), method="bounded")
    return replace(head, temperature=float(np.exp(found.x)))


def _thresholds_of_siblings(
    spec: TreeSpec,
    scores: npt.NDArray[np.float64],
    targets: npt.NDArray[np.float32],
    precision: float,
    least: float,
) -> dict[str, float]:
    """Fitted level by level, since a decision goes from the top down among siblings."""
    # A clip of another branch, or labelled above these classes, counts against whoever claims it.
    sure = targets[:, len(spec.nodes) : 2 * len(spec.nodes)] > 0
    index_of = {node: index for index, node in enumerate(spec.nodes)}
    fitted: dict[str, float] = {}
    for parent in {spec.parent_of(node) for node in spec.nodes}:
        siblings = [node for node in spec.nodes if spec.parent_of(node) == parent]
        columns = [index_of[node] for node in siblings]
        found = fit_thresholds(scores[:, columns], sure[:, columns], precision=precision, minimum=least)
        fitted |= dict(zip(siblings, np.asarray(found.thresholds, float).tolist(), strict=True))
    return fitted


def _thresholds_of_each(
    spec: TreeSpec,
    scores: npt.NDArray[np.float64],
    targets: npt.NDArray[np.float32],
    precision: float,
    least: float,
) -> dict[str, float]:
    """Fitted class by class: siblings are no rivals."""
    truths = node_truths(spec, targets)
    found = fit_independent_thresholds(
        scores, truths.yes > 0, truths.yes + truths.no > 0, precision=precision, minimum=least
    )
    return dict(zip(spec.nodes, np.asarray(found.thresholds, float).tolist(), strict=True))
