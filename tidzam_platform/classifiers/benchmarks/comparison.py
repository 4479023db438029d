"""The comparison of classifiers by grouped cross-validation: run fold by fold, resumed where it was stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tidzam_platform.classifiers.benchmarks.clips import BenchClips, load_bench_clips
from tidzam_platform.classifiers.benchmarks.systems import FoldAnswers, System, Watch, systems
from tidzam_platform.classifiers.code_version import code_version
from tidzam_platform.classifiers.evaluation.answers import compare
from tidzam_platform.classifiers.evaluation.bootstrap import macro_f1_difference, macro_f1_interval
from tidzam_platform.classifiers.evaluation.calibration_figures import expected_calibration_error
from tidzam_platform.classifiers.evaluation.folds import grouped_folds
from tidzam_platform.classifiers.front_end import FrontEnd, preset
from tidzam_platform.classifiers.training import Epoch, Resumable
from tidzam_platform.errors import TrainingError
from tidzam_platform.files import write_whole
from tidzam_platform.settings import Settings

DEFAULT: Final = "default"
SLOW: Final = {"reference_cnn"}  # run only if asked for: it alone would take hours
FOLD_SEED: Final = 0
PRECISION: Final = 0.95  # that thresholds are fitted for here, whatever the settings say

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Pooled:
    """Answers of one system for all clips, each by the fold that did not train on it."""

    closed: list[str]
    decided: list[str]
    confidence: list[float]
    of_truth: list[float]
    parameters: int
    windows_per_s_per_core: float


def compare_classifiers(
    labels_file: Path, settings: Settings, work: Path, *, folds: int, only: Sequence[str], say: Say
) -> dict[str, Any]:
    """Cross-validate each system on the same folds.

    Args:
        labels_file: a ``labels.csv`` with files, labels and groups.
        settings: how the networks are trained.
        work: folder for decoded clips and finished folds; a second call goes on from there.
        folds: how many.
        only: names of the systems to run; if empty, all but the slow ones.
        say: is told how it goes on.

    Returns:
        ``classifiers`` (of each: ``name``, ``macro_f1``, ``accuracy``, ``ci95``, ``windows_per_s_per_core``,
        ``parameters``, ``per_class``, and where a system has them ``ece``, ``decided_precision`` and ``coverage``) and
        ``differences`` of the default's macro-F1 to each other's, with paired intervals.

    Raises:
        TrainingError: a name in ``only`` is no system; a class has too few groups.
    """
    front_end = preset(settings.tree.front_end)
    decision = settings.decision.model_copy(update={"precision": PRECISION})
    settings = settings.model_copy(update={"decision": decision})
    clips = load_bench_clips(
        labels_file,
        front_end.rate_hz,
        work,
        lambda done, of: say(f"decoded {done} of {of} clips") if done % 100 == 0 or done == of else None,
    )
    available = systems(clips, settings, front_end)
    if unknown := set(only) - set(available):
        raise TrainingError(f"no system {', '.join(sorted(unknown))}; there are: {', '.join(available)}")
    fold_of = grouped_folds(clips.classes, clips.groups, folds=folds, seed=FOLD_SEED)
    folder = folder_of(work, clips, folds, settings, front_end)
    pooled = {
        name: _cross_validate(name, make, fold_of, folder, settings, say)
        for name, make in available.items()
        if name in only or not (only or name in SLOW)
    }
    return _report(clips, pooled)


def folder_of(work: Path, clips: BenchClips, folds: int, settings: Settings, front_end: FrontEnd) -> Path:
    """Where finished folds are kept: another folder for whatever may change an answer."""
    key = {
        "clips": clips.fingerprint,
        "folds": folds,
        "training": settings.training.deciding(),
        "decision": settings.decision.model_dump(),
        "shape": settings.tree.shape,
        "front_end": front_end.to_dict(),
        "code": code_version(),
    }
    return work / hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


def _cross_validate(
    name: str,
    make: Callable[[], System],
    fold_of: Any,
    folder: Path,
    settings: Settings,
    say: Say,
) -> _Pooled:
    closed, decided = [""] * len(fold_of), [""] * len(fold_of)
    confidence = [float("nan")] * len(fold_of)
    parts: list[FoldAnswers] = []
    made: list[System] = []

    def system() -> System:
        if not made:
            made.append(make())
        return made[0]

    count = int(fold_of.max()) + 1
    for fold in range(count):
        test, train = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
        parts.append(run_fold(name, system, (fold, count), (train, test), folder, settings, say))
        for place, clip in enumerate(test):
            closed[clip] = parts[-1].closed[place]
            if parts[-1].decided:
                decided[clip] = parts[-1].decided[place]
                confidence[clip] = parts[-1].confidence[place]
    return _Pooled(
        closed,
        decided if parts[0].decided else [],
        confidence if parts[0].confidence else [],
        [score for part in parts for score in part.of_truth],
        parts[0].parameters,
        float(np.mean([part.windows_per_s_per_core for part in parts])),
    )


def run_fold(
    name: str,
    system: Callable[[], System],
    number: tuple[int, int],
    sides: tuple[Any, Any],
    folder: Path,
    settings: Settings,
    say: Say,
) -> FoldAnswers:
    """Train and test on one fold, unless ``folder`` holds what it gave before.

    Args:
        name: of the system, for the file and for people.
        system: makes it when it is needed.
        number: of the fold from 0, and of how many.
        sides: clips to train on and clips to answer for.
        folder: of this comparison.
        settings: whose number of epochs people are told.
        say: is told how it goes on.
    """
    fold, count = number
    kept = folder / f"{name}-{fold}.json"
    if not kept.exists():
        say(f"{name}: fold {fold + 1} of {count}")

        def told(epoch: Epoch) -> None:
            of = settings.training.max_epochs
            say(f"{name}: fold {fold + 1} of {count}, epoch {epoch.number} of at most {of}")

        resumable = Resumable(folder / f"{name}-{fold}", f"{folder.name}/{name}/{fold}")
        answers = system()(*sides, Watch(resumable, told))
        write_whole(kept, json.dumps(asdict(answers)).encode())
        resumable.forget()
    return FoldAnswers(**json.loads(kept.read_bytes()))


def _report(clips: BenchClips, pooled: dict[str, _Pooled]) -> dict[str, Any]:
    truths = [(name,) for name in clips.classes]
    rows = []
    for name, one in pooled.items():
        evaluation = compare(truths, one.closed)
        interval = macro_f1_interval(truths, one.closed)
        row: dict[str, Any] = {
            "name": name,
            "macro_f1": evaluation.macro_f1,
            "accuracy": evaluation.accuracy,
            "ci95": [interval.low, interval.high],
            "windows_per_s_per_core": one.windows_per_s_per_core,
            "parameters": one.parameters,
            "per_class": {label: asdict(figures) for label, figures in evaluation.per_class.items()},
        }
        if one.decided:
            right = np.array(
                [truth == answer for truth, answer in zip(clips.classes, one.closed, strict=True)]
            )
            row["log_loss"] = float(-np.log(np.maximum(one.of_truth, 1e-6)).mean())
            row["ece"] = expected_calibration_error(np.array(one.confidence), right)
            row |= _abstention(clips.classes, one.decided)
        rows.append(row)
    differences = {}
    if DEFAULT in pooled:
        for name, other in pooled.items():
            if name != DEFAULT:
                gap = macro_f1_difference(truths, pooled[DEFAULT].closed, other.closed)
                differences[name] = {"macro_f1": gap.estimate, "ci95": [gap.low, gap.high]}
    return {
        "clips": len(truths),
        "classes": len(set(clips.classes)),
        "classifiers": rows,
        "differences": differences,
    }


def _abstention(truths: Sequence[str], decided: Sequence[str]) -> dict[str, float]:
    """Precision among the clips that were given a leaf class, and the share of clips that were."""
    leaves = set(truths)
    covered = [(truth, answer) for truth, answer in zip(truths, decided, strict=True) if answer in leaves]
    right = sum(truth == answer for truth, answer in covered)
    return {
        "decided_precision": right / len(covered) if covered else 0.0,
        "coverage": len(covered) / len(truths),
    }
