"""Ranking what is not labelled by what a label would teach; knows nothing of catalog and store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.learning.greedy import choose
from tidzam_platform.learning.hearing import hear_clips
from tidzam_platform.learning.measures import FloatArray, disagreement, leaf_scores, uncertainty

COMMITTEE: Final = 2  # generations that may disagree, beside the newest


@dataclass(frozen=True)
class Figures:
    """Why a clip stands where it stands; all in [0, 1]."""

    uncertainty: float
    disagreement: float
    need: float
    novelty: float
    value: float

    def to_dict(self) -> dict[str, float]:
        """As JSON holds them, to six digits."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Ranked:
    """One clip of a ranking: its place in the input, what the tree takes it for, and why."""

    index: int
    class_path: str
    score: float
    figures: Figures


def rank(
    tree: TrainedTree,
    candidates: Sequence[ClipFeatures],
    labelled: Sequence[ClipFeatures],
    count: int,
    *,
    committee: Sequence[TrainedTree] = (),
) -> list[Ranked]:
    """The ``count`` candidates whose labels would teach most, the best first. The same input gives the same order.

    Args:
        tree: the newest generation.
        candidates: unlabelled clips.
        labelled: clips with labels, of the sides that training sees: their classes are counted, and what is near them
            is known.
        count: how many to rank.
        committee: other generations that may disagree; those with another front end or other leaves have no vote.
    """
    if not candidates:
        return []
    single = tree.spec.labels == "single"
    heard, known = hear_clips(tree, candidates), hear_clips(tree, labelled)
    leaves = leaf_scores(heard.scores, tree.spec)
    unsure = uncertainty(leaves, single=single)
    votes = [leaves, *_votes(tree, candidates, committee)]
    apart = disagreement(votes, single=single)
    information = unsure if len(votes) == 1 else (unsure + apart) / 2
    counts = Counter(path for clip in labelled for path in clip.class_paths)
    chosen = choose(
        information,
        leaves,
        heard.embeddings,
        tree.spec.leaves,
        labelled=known.embeddings if len(labelled) else np.zeros((0, heard.embeddings.shape[1])),
        counts={name: float(number) for name, number in counts.items()},
        count=count,
    )
    best = leaves.argmax(axis=1)
    return [
        Ranked(
            one.index,
            tree.spec.leaves[best[one.index]],
            float(leaves[one.index, best[one.index]]),
            Figures(float(unsure[one.index]), float(apart[one.index]), one.need, one.novelty, one.value),
        )
        for one in chosen
    ]


def _votes(
    tree: TrainedTree, candidates: Sequence[ClipFeatures], committee: Sequence[TrainedTree]
) -> list[FloatArray]:
    """Leaf scores of the others that can be compared."""
    return [
        leaf_scores(hear_clips(other, candidates).scores, other.spec)
        for other in committee
        if other.front_end == tree.front_end and other.spec.leaves == tree.spec.leaves
    ]
