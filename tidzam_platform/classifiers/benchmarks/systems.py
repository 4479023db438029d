"""The classifiers that are compared, all on the same folds: what each answers for clips that it never saw."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.benchmarks import mfcc
from tidzam_platform.classifiers.benchmarks.clips import BenchClips
from tidzam_platform.classifiers.decision import ClassNode, Decider
from tidzam_platform.classifiers.evaluation.folds import grouped_folds
from tidzam_platform.classifiers.features import ClipFeatures, clip_features
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.prediction import predict
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.training import Epoch, Resumable, fit_tree
from tidzam_platform.classifiers.tree.building import by_parent, flat
from tidzam_platform.settings import Settings

INNER_FOLDS: Final = 6  # of the training clips one in so many is for early stopping and calibration
_SPEED_WINDOWS: Final = 512

Fold = npt.NDArray[np.intp]


@dataclass(frozen=True)
class FoldAnswers:
    """What a system says of the clips of one fold.

    Attributes:
        closed: the best leaf class of each clip.
        confidence: float ``[clips]``, its score; empty if the system has none that means a probability.
        of_truth: float ``[clips]``, the score of the true class; empty likewise.
        decided: the answer with abstention; empty if the system does not abstain.
        parameters: numbers that were learnt.
        windows_per_s_per_core: one-second windows that one core gets through, features included.
    """

    closed: list[str]
    confidence: list[float]
    of_truth: list[float]
    decided: list[str]
    parameters: int
    windows_per_s_per_core: float


class System(Protocol):
    """Learns from some clips and answers for others."""

    def __call__(self, train: Fold, test: Fold, watch: Watch) -> FoldAnswers:
        """Learn from the clips ``train`` (their numbers), answer for ``test``."""
        ...


@dataclass(frozen=True)
class Watch:
    """Where a training keeps its state, and who is told of its epochs."""

    resumable: Resumable
    on_epoch: Callable[[Epoch], None]


class StatisticsSystem:
    """A model of scikit-learn on MFCC statistics of whole clips."""

    def __init__(self, clips: BenchClips, make: Callable[[int], Any], seed: int) -> None:
        self._clips, self._make, self._seed = clips, make, seed
        self._statistics: npt.NDArray[np.float32] | None = None

    def __call__(self, train: Fold, test: Fold, watch: Watch) -> FoldAnswers:  # noqa: ARG002 - nothing to resume
        """Fit and answer, in seconds."""
        if self._statistics is None:
            rows = [mfcc.mfcc_statistics(audio, self._clips.rate_hz) for audio in self._clips.audio]
            self._statistics = np.stack(rows)
        labels = np.asarray(self._clips.classes)
        model = self._make(self._seed).fit(self._statistics[train], labels[train])
        answers: list[str] = model.predict(self._statistics[test]).tolist()
        return FoldAnswers(answers, [], [], [], mfcc.count_parameters(model), self._speed(model))

    def _speed(self, model: Any) -> float:
        windows = np.stack(
            [_one_second(audio, self._clips.rate_hz) for audio in self._clips.audio[:_SPEED_WINDOWS]]
        )
        began = time.process_time()
        model.predict(np.stack([mfcc.mfcc_statistics(window, self._clips.rate_hz) for window in windows]))
        return len(windows) / (time.process_time() - began)


class NetworkSystem:
    """A tree of experts, or one expert for all classes, trained as a generation is."""

    def __init__(
        self, clips: BenchClips, features: Sequence[ClipFeatures], settings: Settings, front_end: FrontEnd
    ) -> None:
        self._clips, self._features = clips, features
        self._settings, self._front_end = settings, front_end

    def __call__(self, train: Fold, test: Fold, watch: Watch) -> FoldAnswers:
        """Train on ``train``, of which a part is for early stopping and calibration, and answer for ``test``."""
        classes, groups = self._clips.classes, self._clips.groups
        labels = [classes[clip] for clip in train]
        inner = grouped_folds(
            labels,
            [groups[clip] for clip in train],
            folds=min(INNER_FOLDS, max(Counter(labels).values())),
            seed=self._settings.training.seed,
            all_trained=False,
        )
        trained = {label for label, fold in zip(labels, inner, strict=True) if fold != 0}
        sided = [
            replace(self._features[clip], side="validation" if fold == 0 and label in trained else "train")
            for clip, label, fold in zip(train, labels, inner, strict=True)
        ]
        draw = flat if self._settings.tree.shape == "flat" else by_parent
        spec = draw({name for clip in sided for name in clip.class_paths})
        tree, _ = fit_tree(
            spec,
            sided,
            self._front_end,
            self._settings.training,
            self._settings.decision,
            on_epoch=watch.on_epoch,
            resumable=watch.resumable,
        )
        scores = tree.clip_scores([self._features[clip] for clip in test])
        leaves = [spec.nodes.index(leaf) for leaf in spec.leaves]
        best = scores[:, leaves].argmax(axis=1)
        nodes = [ClassNode(node, spec.parent_of(node), tree.thresholds[node]) for node in spec.nodes]
        loud = np.zeros(len(test), np.float32)  # the level gate has no part in this comparison
        decided = Decider(nodes, -1.0).decide(scores.astype(np.float32), loud)
        return FoldAnswers(
            [spec.leaves[index] for index in best],
            scores[:, leaves].max(axis=1).tolist(),
            scores[np.arange(len(test)), [spec.nodes.index(classes[clip]) for clip in test]].tolist(),
            [answer.class_path for answer in decided],
            int(tree.hearing.count_params()),
            self._speed(tree),
        )

    def _speed(self, tree: TrainedTree) -> float:
        """On audio, in the graph that is exported."""
        rate = self._front_end.rate_hz
        windows = np.stack([_one_second(audio, rate) for audio in self._clips.audio[:_SPEED_WINDOWS]])
        windows = windows[:, : self._front_end.window_frames]
        model = tree.serving_model()
        predict(model, windows[:64], 64)  # traces the graph
        began = time.process_time()
        predict(model, windows, 64)
        return len(windows) / (time.process_time() - began)


def _one_second(audio: npt.NDArray[np.float32], rate_hz: int) -> npt.NDArray[np.float32]:
    return np.pad(audio, (0, max(0, rate_hz - len(audio))))[:rate_hz]


def features_of(clips: BenchClips, front_end: FrontEnd) -> list[ClipFeatures]:
    """Features of all clips, on no side yet."""
    made = []
    for number, (audio, name, group) in enumerate(zip(clips.audio, clips.classes, clips.groups, strict=True)):
        log_mel, offsets = clip_features(audio, front_end)
        made.append(ClipFeatures(str(number), log_mel, offsets, (name,), group, "test"))
    return made


def systems(clips: BenchClips, settings: Settings, front_end: FrontEnd) -> dict[str, Callable[[], System]]:
    """All systems by name, made when they are asked for."""
    features: list[ClipFeatures] = []

    def network(shape: str, architecture: str) -> System:
        if not features:
            features.extend(features_of(clips, front_end))
        training = settings.training.model_copy(update={"architecture": architecture})
        tree = settings.tree.model_copy(update={"shape": shape, "file": None})
        return NetworkSystem(
            clips, features, settings.model_copy(update={"training": training, "tree": tree}), front_end
        )

    seed, default = settings.training.seed, settings.training.architecture
    return {
        "mfcc_forest": lambda: StatisticsSystem(clips, mfcc.forest, seed),
        "mfcc_svm": lambda: StatisticsSystem(clips, mfcc.svm, seed),
        "sb_cnn": lambda: network("flat", "sb_cnn"),
        "default": lambda: network("by_parent", default),
        "default_flat": lambda: network("flat", default),
        "reference_cnn": lambda: network("flat", "reference_cnn"),
    }
