"""Scoring a generation on a folder of labelled clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.analysis import Model
from serving.evaluating.class_names import ClassTree, LabelMap, as_named_by
from serving.evaluating.clip_scores import ClipScores, score_clips
from serving.evaluating.folder_figures import FolderFigures
from serving.signature import ModelDescription
from tidzam_platform.classifiers.clip_pooling import Pooling, soft_vote
from tidzam_platform.classifiers.decision import NO_SIGNAL, Answer, ClassNode, threshold_decider
from tidzam_platform.classifiers.evaluation import compare
from tidzam_platform.classifiers.evaluation.answers import Truths
from tidzam_platform.classifiers.evaluation.bootstrap import macro_f1_interval
from tidzam_platform.classifiers.evaluation.calibration_figures import (
    brier_score,
    expected_calibration_error,
    reliability_table,
)
from tidzam_platform.classifiers.evaluation.clips import rank_figures
from tidzam_platform.classifiers.evaluation.multi_label import (
    MultiLabelFigures,
    heard_flags,
    multi_label_figures,
)
from tidzam_platform.errors import AudioError, LabelError
from tidzam_platform.labels.class_paths import SEPARATOR, with_ancestors
from tidzam_platform.labels.csv_reader import read_label_csv
from tidzam_platform.labels.labelled_file import LabelledFile

LABELS: Final = "labels.csv"
SILENCE: Final = "silence"


def read_labelled_folder(folder: Path) -> list[LabelledFile]:
    """The clips that ``labels.csv`` in the folder names; LabelError if there is none or it cannot be read."""
    return read_label_csv(folder / LABELS)


def evaluate_clips(
    entries: Sequence[LabelledFile],
    model: Model,
    *,
    no_signal_dbfs: float,
    pooling: Pooling = soft_vote,
    progress: Callable[[int], None] = lambda _more: None,
) -> FolderFigures:
    """Score a generation on labelled clips.

    A class's score of a clip is pooled over the clip's windows, by their mean unless told otherwise. Two answers are
    made of the scores:

    - closed set: the best leaf class (one that is no other's parent);
    - decided: what the Decider says of the pooled scores. It covers the clip if it is a leaf class or a class that
      the data names; ``unknown`` and other inner classes cover nothing and count as misses in the figures.

    The level goes first, as it does when the model serves: a clip that is ``no_signal`` is answered with the class
    of the data whose last part is ``silence``; if the data has none, the closed set goes by the best leaf and the
    decision covers nothing. An answer below the class of the clip (``birds-crow`` where the data says ``birds``)
    counts as that class. Calibration (``ece``, ``brier``) is of the best leaf's score alone, whatever the level.

    Where the generation has several labels, the decision is the best of the classes that are heard, and ``each``
    holds figures of every class against the set of true ones.

    A class of the data that the model does not know by its whole path is looked for by its ending: ``cat`` is
    ``animal-cat`` if no other class ends so.

    Args:
        entries: the clips; of several classes of a clip any is right.
        model: the generation.
        no_signal_dbfs: clips quieter than this are ``no_signal``.
        pooling: makes one row of scores of a clip's windows.
        progress: is told how many more clips are decoded.

    Raises:
        LabelError: there are no entries.
        AudioError: no clip can be heard.
        ModelServerError: the model does not answer.
    """
    if not entries:
        raise LabelError("there are no labelled clips to evaluate on")
    description = model.describe()
    tree = ClassTree.of(description)
    heard = score_clips([entry.path for entry in entries], model, progress, pooling)
    unusable = [{"file": str(entries[clip].path), "error": why} for clip, why in heard.unusable.items()]
    if not heard.heard:
        raise AudioError(f"none of {len(entries)} clips can be heard; the first: {unusable[0]['error']}")
    clips = [entries[clip] for clip in heard.heard]
    labels = LabelMap.of((name for clip in clips for name in clip.class_paths), tree)
    truths = [tuple(labels.class_of(name) for name in clip.class_paths) for clip in clips]
    names = {name for truth in truths for name in truth}
    answers = _answers(heard, description, tree, truths, no_signal_dbfs)
    correct = np.array([best in truth for best, truth in zip(answers.best, truths, strict=True)])
    right = sum(answer in truth for answer, truth in zip(answers.decided, truths, strict=True))
    covered = sum(answers.covered)
    ranked = [index for index, path in enumerate(tree.paths) if path in names]
    within = [tuple(with_ancestors(set(truth))) for truth in truths]  # a cat is an animal, too
    return FolderFigures(
        generation=description.generation,
        closed=compare(truths, answers.closed),
        decided=compare(truths, answers.decided),
        coverage=covered / len(clips),
        decided_precision=right / covered if covered else None,
        interval=macro_f1_interval(truths, answers.closed, [clip.group or str(clip.path) for clip in clips]),
        ece=expected_calibration_error(answers.confidence, correct),
        brier=brier_score(answers.confidence, correct),
        reliability=reliability_table(answers.confidence, correct),
        ranking=rank_figures(within, heard.scores[:, ranked], [tree.paths[index] for index in ranked]),
        unknown_classes=tuple(sorted(names - {*tree.paths, answers.silence})),
        unusable=tuple(unusable),
        each=_of_each(heard, tree, ranked, within, answers) if description.labels == "multi" else None,
    )


def _of_each(
    heard: ClipScores, tree: ClassTree, ranked: list[int], within: Truths, answers: _Answers
) -> MultiLabelFigures:
    classes = [tree.paths[index] for index in ranked]
    present = np.array([[name in truth for name in classes] for truth in within], bool)
    flags = heard_flags(answers.sounds, classes)
    return multi_label_figures(heard.scores[:, ranked], flags, present, np.ones_like(present), classes)


@dataclass(frozen=True)
class _Answers:
    """One a clip each: best leaf and its score, the same after the level, the decision, and whether it covers.

    ``sounds`` is all that the clip was taken for.
    """

    best: list[str]
    confidence: NDArray[np.float32]
    closed: list[str]
    decided: list[str]
    covered: list[bool]
    sounds: list[list[Answer]]
    silence: str | None


def _answers(
    heard: ClipScores,
    description: ModelDescription,
    tree: ClassTree,
    truths: Truths,
    no_signal_dbfs: float,
) -> _Answers:
    names = {name for truth in truths for name in truth}
    leaves = [tree.paths[index] for index in tree.leaves]
    leaf_scores = heard.scores[:, list(tree.leaves)]
    best = [
        as_named_by(names, leaves[index], truth)
        for index, truth in zip(leaf_scores.argmax(axis=1), truths, strict=True)
    ]
    nodes = [ClassNode(known.path, known.parent, known.threshold) for known in description.classes]
    decider = threshold_decider(nodes, no_signal_dbfs, description.labels)
    sounds = decider.sounds(heard.scores, heard.level_dbfs)
    decisions = [answers[0].class_path for answers in sounds]
    silence = min((name for name in names if name.split(SEPARATOR)[-1] == SILENCE), default=None)
    if silence:
        sounds = [
            [Answer(silence, 1.0)] if answers[0].class_path == NO_SIGNAL else answers for answers in sounds
        ]
    decided = [
        silence if decision == NO_SIGNAL and silence else as_named_by(names, decision, truth)
        for decision, truth in zip(decisions, truths, strict=True)
    ]
    return _Answers(
        best=best,
        confidence=leaf_scores.max(axis=1),
        closed=[
            silence if decision == NO_SIGNAL and silence else answer
            for decision, answer in zip(decisions, best, strict=True)
        ],
        decided=decided,
        covered=[answer in names or answer in leaves for answer in decided],
        sounds=sounds,
        silence=silence,
    )
