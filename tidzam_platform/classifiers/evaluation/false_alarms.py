"""False alarms per hour of audio in which nothing sounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tidzam_platform.classifiers.evaluation.events import Stretch, Track
from tidzam_platform.labels.class_paths import SEPARATOR

BACKGROUND_NAMES: Final = frozenset({"background", "no_signal", "noise", "silence"})
_HOUR_S: Final = 3600.0


@dataclass(frozen=True)
class FalseAlarms:
    """What was heard where nothing sounds.

    ``hours`` is how much such audio there is, ``per_hour`` is None if there is none.
    """

    per_hour: float | None
    count: int
    hours: float
    by_class: dict[str, int]


def is_background(class_path: str) -> bool:
    """Whether a class says that nothing sounds: one of its levels is background, no_signal, noise or silence."""
    return not BACKGROUND_NAMES.isdisjoint(class_path.split(SEPARATOR))


def false_alarms(
    tracks: Iterable[tuple[Track, float]], is_quiet: Callable[[str], bool] = is_background
) -> FalseAlarms:
    """Count the heard events that touch no reference event and no ignored stretch.

    Reference events of a quiet class (a labelled stretch of noise) are audio in which nothing sounds; heard events
    of one are no alarms.

    Args:
        tracks: each with its length in seconds.
        is_quiet: whether a class says that nothing sounds.
    """
    by_class: Counter[str] = Counter()
    quiet_s = 0.0
    for track, seconds in tracks:
        taken: list[Stretch] = [
            (event.onset_s, event.offset_s) for event in track.reference if not is_quiet(event.class_path)
        ]
        taken += track.ignored
        quiet_s += seconds - _covered_s(taken, seconds)
        by_class.update(
            event.class_path
            for event in track.heard
            if not is_quiet(event.class_path) and not any(map(event.touches, taken))
        )
    hours, count = quiet_s / _HOUR_S, by_class.total()
    return FalseAlarms(count / hours if hours > 0 else None, count, hours, dict(sorted(by_class.items())))


def _covered_s(stretches: Iterable[Stretch], seconds: float) -> float:
    """Length of the union of ``stretches`` within the track."""
    covered_s = reached_s = 0.0
    for start_s, end_s in sorted(stretches):
        new_s = min(end_s, seconds) - max(start_s, reached_s)
        if new_s > 0:
            covered_s += new_s
            reached_s = end_s
    return covered_s
