"""The learning curve on a labelled folder: what ``./tidzam bench learning`` measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tidzam_platform.classifiers.benchmarks.clips import load_bench_clips
from tidzam_platform.classifiers.benchmarks.systems import features_of
from tidzam_platform.classifiers.front_end import preset
from tidzam_platform.learning.curve import ACTIVE, RANDOM, Course, Courses, Say, curve_rows, measure_curve
from tidzam_platform.learning.pool import Pool, start_labels
from tidzam_platform.settings import Settings

WINDOWS_PER_EPOCH: Final = (
    1536  # a quarter of the usual: few labels need no more, and there are many trainings
)


def measure_folder(
    labels_file: Path,
    settings: Settings,
    work: Path,
    *,
    start_per_class: int,
    labels_a_round: int | None,
    generations: int,
    seeds: tuple[int, ...],
    epochs: int,
    say: Say,
) -> dict[str, Any]:
    """Both arms on the clips of a ``labels.csv``, of whose groups a quarter is the test.

    Args:
        labels_file: files, labels and groups.
        settings: how trees are trained.
        work: folder for decoded clips.
        start_per_class: labels of each class before the first generation.
        labels_a_round: labels between two generations; None: as many as at the start.
        generations: how many are trained.
        seeds: of the courses that are averaged.
        epochs: of each training, at most.
        say: is told how it goes on.

    Returns:
        ``generations`` and ``random``: rows with ``labels``, ``macro_f1`` and ``by_seed``; ``pool``, ``seeds``.

    Raises:
        LabelError, AudioError: the labels or a clip cannot be read.
        TrainingError: too few classes, clips or groups.
    """
    front_end = preset(settings.tree.front_end)
    say("decoding the clips, unless that was done before")
    pool = Pool.divided(features_of(load_bench_clips(labels_file, front_end.rate_hz, work), front_end))
    if labels_a_round is None:
        labels_a_round = len(start_labels(pool, start_per_class, seeds[0]))
    training = settings.training.model_copy(
        update={"max_epochs": epochs, "windows_per_epoch": WINDOWS_PER_EPOCH}
    )
    course = Course(start_per_class, labels_a_round, generations, seeds)
    courses = Courses(pool, front_end, settings.model_copy(update={"training": training}), course, say)
    arms = measure_curve(courses, course, say)
    return {
        "generations": curve_rows(arms, ACTIVE),
        "random": curve_rows(arms, RANDOM),
        "pool": {"clips": len(pool.clips), "test_clips": len(pool.test)},
        "course": {"start_per_class": start_per_class, "labels_a_round": labels_a_round},
        "seeds": list(seeds),
    }
