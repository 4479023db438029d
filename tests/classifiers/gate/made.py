"""Made evidence: clips in groups, and generations that hear so many of them right."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tidzam_platform.classifiers.gate import ClipAnswer, System, TestClip

CLASSES = ("birds-crow", "birds-robin", "frogs", "insects-cicada", "insects-cricket", "rain")


def made_clips(
    groups_per_class: int, clips_per_group: int = 2, classes: Sequence[str] = CLASSES
) -> tuple[TestClip, ...]:
    """Clips of each class in groups."""
    return tuple(
        TestClip(f"{path}/{group}/{number}", f"clips/{path}-{group}-{number}", f"{path}/{group}", (path,))
        for path in classes
        for group in range(groups_per_class)
        for number in range(clips_per_group)
    )


def hears(
    clips: Sequence[TestClip],
    share: float,
    *,
    number: int = 1,
    seed: int = 0,
    leaves: Sequence[str] = CLASSES,
    deaf_to: Sequence[str] = (),
) -> System:
    """A generation that hears this share of the clips right, and the others as any class."""
    draw = random.Random(seed)  # noqa: S311
    answers = {}
    for clip in clips:
        truth = clip.class_paths[0]
        right = draw.random() < share and truth in leaves and truth not in deaf_to
        said = truth if right else draw.choice([path for path in leaves if path != truth])
        answers[clip.sha256] = ClipAnswer((said,), said, 0.9 if right else 0.5)
    return System(number, tuple(leaves), "single", answers)
