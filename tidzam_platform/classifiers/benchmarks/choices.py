"""Quality against cost: the default beside what it could be, each with one thing changed.

A network is trained for each choice on the same folds with the same effort, so that the defaults are chosen by what
was measured. Finished folds are kept; a second call goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tidzam_platform.classifiers.benchmarks.clips import BenchClips, load_bench_clips
from tidzam_platform.classifiers.benchmarks.comparison import FOLD_SEED, Say, folder_of, run_fold
from tidzam_platform.classifiers.benchmarks.systems import FoldAnswers, NetworkSystem, features_of
from tidzam_platform.classifiers.evaluation.answers import compare
from tidzam_platform.classifiers.evaluation.bootstrap import macro_f1_difference
from tidzam_platform.classifiers.evaluation.folds import grouped_folds
from tidzam_platform.classifiers.front_end import FrontEnd, preset
from tidzam_platform.errors import TrainingError
from tidzam_platform.settings import Settings, TrainingSettings

REFERENCE: Final = "default"


@dataclass(frozen=True)
class Choice:
    """One row of the table: what is changed of the default."""

    question: str
    front_end: FrontEnd
    training: TrainingSettings


def choices(settings: Settings, epochs: int) -> dict[str, Choice]:
    """All rows by name; ``epochs`` is the effort that each gets."""
    front_end = preset(settings.tree.front_end)
    training = settings.training.model_copy(update={"max_epochs": epochs, "patience": epochs, "refit": False})

    def heard(question: str, **changed: Any) -> Choice:
        return Choice(question, replace(front_end, **changed), training)

    def as_named(name: str) -> Choice:
        return Choice("front end", preset(name), training)

    def learnt(question: str, **changed: Any) -> Choice:
        return Choice(question, front_end, training.model_copy(update=changed))

    def varied(**changed: Any) -> Choice:
        augmentation = training.augmentation.model_copy(update=changed)
        return learnt("augmentation", augmentation=augmentation)

    at_16_khz = {"rate_hz": 16_000, "stft_window_frames": 400, "stft_hop_frames": 160, "high_hz": 8_000.0}
    at_48_khz = {"rate_hz": 48_000, "fft_frames": 2048, "stft_window_frames": 1200, "stft_hop_frames": 480}
    return {
        REFERENCE: Choice("", front_end, training),
        "compact": learnt("architecture", architecture="compact"),
        "sb_cnn": learnt("architecture", architecture="sb_cnn"),
        "reference_cnn": learnt("architecture", architecture="reference_cnn"),
        "narrow": learnt("width", architecture="pooled_narrow"),
        "wide": learnt("width", architecture="pooled_wide"),
        "shallow": learnt("depth", architecture="pooled_shallow"),
        "deep": learnt("depth", architecture="pooled_deep"),
        "16 kHz": heard("rate", **at_16_khz),
        "48 kHz": heard("rate", **at_48_khz, high_hz=16_000.0),
        "0.5 s": heard("window", window_s=0.5, hop_s=0.25),
        "2 s": heard("window", window_s=2.0, hop_s=1.0),
        "40 bands": heard("bands", bands=40),
        "96 bands": heard("bands", bands=96),
        "standardise": heard("normalisation", normalisation="standardise"),
        "pcen": heard("normalisation", normalisation="pcen"),
        "tidzam": as_named("tidzam"),
        "nordby": as_named("nordby"),
        "no noise": varied(noise_share=0.0),
        "no stretch, no pitch": varied(time_stretch=0.0, pitch_semitones=0.0),
        "no mixup": varied(mixup=0.0),
        "classes equally": learnt("sampling", class_balance=1.0),
        "classes as labelled": learnt("sampling", class_balance=0.0),
    }


def measure_choices(
    labels_file: Path,
    settings: Settings,
    work: Path,
    *,
    folds: int,
    run: int,
    epochs: int,
    only: Sequence[str],
    say: Say,
) -> list[dict[str, Any]]:
    """Train and test each choice.

    Args:
        labels_file: a ``labels.csv`` with files, labels and groups.
        settings: the defaults.
        work: folder for decoded clips and finished folds.
        folds: how many folds the clips are divided into.
        run: how many of them are tested; the others only train.
        epochs: of each training.
        only: names of choices, all if empty; the default is always among them.
        say: is told how it goes on.

    Returns:
        rows with ``name``, ``question`` (what was changed), ``macro_f1``, ``difference`` to the default and its
        paired interval ``difference_ci95``, ``log_loss`` (nats), ``parameters`` and ``windows_per_s_per_core`` (of
        the exported graph in TensorFlow, front end included).

    Raises:
        TrainingError: a name in ``only`` is no choice; a class has too few groups.
    """
    available = choices(settings, epochs)
    if unknown := set(only) - set(available):
        raise TrainingError(f"no choice {', '.join(sorted(unknown))}; there are: {', '.join(available)}")
    names = [name for name in available if not only or name in {REFERENCE, *only}]
    answered: dict[str, tuple[list[str], list[str], list[FoldAnswers]]] = {}
    for name in names:
        choice = available[name]
        clips = load_bench_clips(labels_file, choice.front_end.rate_hz, work)
        answered[name] = _answers(name, choice, clips, settings, work, folds, run, say)
    truths, reference, _ = answered[REFERENCE]
    rows = []
    for name, (_, closed, parts) in answered.items():
        gap = macro_f1_difference([(truth,) for truth in truths], closed, reference)
        of_truth = np.concatenate([part.of_truth for part in parts])
        rows.append(
            {
                "name": name,
                "question": available[name].question,
                "macro_f1": compare([(truth,) for truth in truths], closed).macro_f1,
                "difference": gap.estimate,
                "difference_ci95": [gap.low, gap.high],
                "log_loss": float(-np.log(np.maximum(of_truth, 1e-6)).mean()),
                "parameters": parts[0].parameters,
                "windows_per_s_per_core": float(np.mean([part.windows_per_s_per_core for part in parts])),
            }
        )
    return rows


def _answers(
    name: str,
    choice: Choice,
    clips: BenchClips,
    settings: Settings,
    work: Path,
    folds: int,
    run: int,
    say: Say,
) -> tuple[list[str], list[str], list[FoldAnswers]]:
    """Truths and answers of the tested clips, fold after fold, and what each fold said."""
    chosen = settings.model_copy(update={"training": choice.training})
    fold_of = grouped_folds(clips.classes, clips.groups, folds=folds, seed=FOLD_SEED)
    folder = folder_of(work, clips, folds, chosen, choice.front_end)
    system: list[NetworkSystem] = []

    def made() -> NetworkSystem:
        if not system:
            features = features_of(clips, choice.front_end)
            system.append(NetworkSystem(clips, features, chosen, choice.front_end))
        return system[0]

    tests = [np.flatnonzero(fold_of == fold) for fold in range(run)]
    parts = [
        run_fold(name, made, (fold, run), (np.flatnonzero(fold_of != fold), test), folder, chosen, say)
        for fold, test in enumerate(tests)
    ]
    truths = [clips.classes[clip] for test in tests for clip in test]
    return truths, [answer for part in parts for answer in part.closed], parts


def as_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The table as the documentation holds it."""
    lines = [
        "| changed | to | macro-F1 | difference (95 %) | log-loss | weights | windows/s/core |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["difference_ci95"]
        gap = f"{row['difference']:+.3f} ({low:+.3f} to {high:+.3f})" if row["question"] else ""
        lines.append(
            f"| {row['question']} | {row['name']} | {row['macro_f1']:.3f} | {gap} | {row['log_loss']:.3f} | "
            f"{row['parameters']} | {row['windows_per_s_per_core']:.0f} |"
        )
    return "\n".join(lines) + "\n"
