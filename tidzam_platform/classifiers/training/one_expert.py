"""Training of one expert of a tree that serves: the others are carried over, the trunk that they share is frozen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.heads import HEADS
from tidzam_platform.classifiers.network import SHARED
from tidzam_platform.classifiers.prediction import predict
from tidzam_platform.classifiers.trained_tree import DENSE_HEAD, Head, TrainedTree, Trunk
from tidzam_platform.classifiers.training.calibrating import calibrate
from tidzam_platform.classifiers.training.examples import Examples
from tidzam_platform.classifiers.training.fit import fit_tree
from tidzam_platform.classifiers.training.input import EpochInput
from tidzam_platform.classifiers.training.loop import Epoch, Resumable, make_deterministic
from tidzam_platform.classifiers.training.targets import output_truths
from tidzam_platform.classifiers.tree.activation import Labels
from tidzam_platform.classifiers.tree.spec import SELECTOR, ExpertSpec, TreeSpec
from tidzam_platform.errors import TrainingError, TreeError
from tidzam_platform.labels.class_paths import is_within
from tidzam_platform.settings import DecisionSettings, TrainingSettings

_EPOCHS_OF_WINDOWS: Final = 2  # that a head on frozen embeddings learns from


def with_expert(base: TreeSpec, expert: ExpertSpec) -> TreeSpec:
    """The tree ``base`` with ``expert`` in the place of the one of its name, or added at the end.

    Raises:
        TreeError: it does not fit, e.g. because no expert has its class among its outputs.
    """
    others = [one for one in base.experts if one.name != expert.name]
    place = next((index for index, one in enumerate(base.experts) if one.name == expert.name), len(others))
    return replace(base, experts=(*others[:place], expert, *others[place:]))


def retrain_expert(
    base: TrainedTree,
    expert: ExpertSpec,
    clips: Sequence[ClipFeatures],
    training: TrainingSettings,
    decision: DecisionSettings,
    *,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
    resumable: Resumable | None = None,
) -> tuple[TrainedTree, list[Epoch]]:
    """The tree ``base`` with one expert trained anew, or a new one; it takes single or several labels as ``base`` does.

    On the shared trunk the expert is a head on frozen embeddings (``heads``), learnt in seconds; with a trunk of its
    own it is trained as a tree is. Scores of all other experts stay what they were, bit by bit.

    Args:
        base: the tree in service.
        expert: what is trained; its class is an output of an expert of ``base``.
        clips: of all sides; only those below the expert's class are used.
        training: how; ``decision``: what its thresholds are fitted for.
        decision: as in ``fit_tree``.
        on_epoch: told of epochs, where there are any.
        resumable: as in ``fit_tree``.

    Raises:
        TreeError: the expert does not fit the tree, or its head knows no several labels.
        TrainingError: there is no such head, or fewer than two of its classes have clips to train on.
    """
    spec = with_expert(base.spec, expert)
    alone = TreeSpec(
        (ExpertSpec(SELECTOR, expert.outputs, architecture=expert.architecture),), base.spec.labels
    )
    below = [clip for clip in clips if _is_below(clip, expert)]
    trunks = dict(base.trunks)
    history: list[Epoch] = []
    trunks.pop(expert.name, None)
    if expert.trunk == "own":
        own, history = fit_tree(
            alone, below, base.front_end, training, decision, on_epoch=on_epoch, resumable=resumable
        )
        trunks[expert.name] = Trunk(expert.architecture or training.architecture, own.trunks[SHARED].model)
        head = own.heads[SELECTOR]
    else:
        head = _fit_head(base, expert, alone, below, training)
    tree = TrainedTree(
        spec,
        base.front_end,
        trunks,
        {**base.heads, expert.name: head},
        dict.fromkeys(spec.nodes, decision.threshold) | dict(base.thresholds),
        base.origins,
    )
    checked = [clip for clip in below if clip.side == "validation"]
    fitted = calibrate(tree, checked, precision=decision.precision, least=decision.threshold)
    heads = tree.heads if expert.trunk == "own" else {**tree.heads, expert.name: fitted.heads[expert.name]}
    mine = {node for node in spec.nodes if spec.expert_of(node).name == expert.name}
    thresholds = {node: (fitted if node in mine else tree).thresholds[node] for node in spec.nodes}
    return replace(tree, heads=heads, thresholds=thresholds), history


def _is_below(clip: ClipFeatures, expert: ExpertSpec) -> bool:
    """Whether a clip tells the expert's classes apart."""
    return any(is_within(path, output) for path in clip.class_paths for output in expert.outputs)


def _fit_head(
    base: TrainedTree,
    expert: ExpertSpec,
    alone: TreeSpec,
    clips: Sequence[ClipFeatures],
    training: TrainingSettings,
) -> Head:
    kind = _kind_of_head(expert, alone.labels)
    make_deterministic(training.seed)
    examples = Examples.of([clip for clip in clips if clip.side == "train"], alone, base.front_end)
    unmixed = training.augmentation.model_copy(update={"mixup": 0.0, "background_share": 0.0})
    source = EpochInput(examples, base.front_end, training.model_copy(update={"augmentation": unmixed}))
    embedder = base.embedder(SHARED)
    embeddings, targets = [], []
    for epoch in range(1, _EPOCHS_OF_WINDOWS + 1):
        for patches, of_batch in source.batches(epoch):
            embeddings.append(predict(embedder, patches.numpy()))
            targets.append(of_batch.numpy())
    arrays = _learnt(kind, alone, np.concatenate(embeddings), np.concatenate(targets), training.seed)
    return Head(kind, arrays)


def _kind_of_head(expert: ExpertSpec, labels: Labels) -> str:
    kind = DENSE_HEAD if expert.head == "dense" else expert.head
    if kind not in HEADS:
        raise TrainingError(
            f"expert {expert.name}: no head {expert.head!r}; there are: dense, {', '.join(sorted(HEADS))}"
        )
    if labels == "multi" and HEADS[kind].fit_independent is None:
        able = [name for name, head in sorted(HEADS.items()) if head.fit_independent]
        raise TreeError(
            f"expert {expert.name!r} has the head {expert.head!r}, which chooses one class, in a tree of several "
            f"labels: take dense or {', '.join(able)}"
        )
    return kind


def _learnt(
    kind: str,
    alone: TreeSpec,
    embeddings: npt.NDArray[np.float32],
    targets: npt.NDArray[np.float32],
    seed: int,
) -> dict[str, npt.NDArray[Any]]:
    """Arrays of a head for the outputs of ``alone``."""
    truths = output_truths(alone, targets)
    head, yes = HEADS[kind], np.asarray(truths.yes)
    if alone.labels == "multi" and head.fit_independent is not None:
        return head.fit_independent(embeddings, yes, np.asarray(truths.no), seed=seed)
    return head.fit(embeddings, yes.argmax(axis=1), len(alone.outputs), seed=seed)
