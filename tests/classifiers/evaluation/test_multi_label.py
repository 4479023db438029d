"""Figures of clips with several classes, against hand calculations."""

from __future__ import annotations

import numpy as np
import pytest

from tidzam_platform.classifiers.decision import UNKNOWN, Answer
from tidzam_platform.classifiers.evaluation.multi_label import heard_flags, multi_label_figures
from tidzam_platform.errors import TrainingError

SCORES = np.array([[0.9, 0.8, 0.1], [0.6, 0.7, 0.2], [0.7, 0.2, 0.3], [0.1, 0.6, 0.4]])
PRESENT = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]], bool)
KNOWN = np.ones_like(PRESENT)


def test_figures_of_each_class_equal_a_hand_calculation() -> None:
    figures = multi_label_figures(SCORES, SCORES >= 0.65, PRESENT, KNOWN, ("a", "b", "c"))
    a, b, c = (figures.per_class[name] for name in "abc")
    assert (a.precision, a.recall, a.f1, a.clips) == (0.5, 0.5, 0.5, 2)
    assert (b.precision, b.recall, b.f1, b.clips) == (0.5, 0.5, 0.5, 2)
    assert (c.precision, c.recall, c.f1, c.clips) == (0, 0, 0, 0)
    assert figures.macro_f1 == 0.5, "a class without clips is not in the mean"
    # a: 0.9, 0.6 against 0.7, 0.1; ranked 0.9 (a), 0.7, 0.6 (a), 0.1
    assert figures.ranking["a"].auroc == pytest.approx(3 / 4)
    assert figures.ranking["a"].average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert figures.ranking["c"].auroc is None
    assert figures.macro.auroc == pytest.approx((3 / 4 + 3 / 4) / 2)


def test_clips_of_which_nobody_knows_count_neither_way() -> None:
    known = KNOWN.copy()
    known[2, 0] = False
    figures = multi_label_figures(SCORES, SCORES >= 0.65, PRESENT, known, ("a", "b", "c"))
    assert figures.per_class["a"].precision == 1
    assert figures.ranking["a"].auroc == 1
    assert figures.per_class["b"].precision == 0.5


def test_a_crow_that_is_heard_is_a_bird_too() -> None:
    sounds = [[Answer("bird-crow", 0.9), Answer("rain", 0.8)], [Answer(UNKNOWN, 0.1)]]
    flags = heard_flags(sounds, ["bird", "bird-crow", "bird-robin", "rain"])
    assert flags.tolist() == [[True, True, False, True], [False] * 4]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scores": SCORES[:, :2]}, r"\[clips, 3\]"),
        ({"heard": PRESENT[:2]}, r"\[clips, 3\]"),
        ({"scores": SCORES[:0]}, "at least one clip"),
        ({"scores": np.full((4, 3), np.nan)}, "diverged"),
    ],
)
def test_what_is_no_prediction_is_refused(change: dict[str, np.ndarray], says: str) -> None:
    arguments = {"scores": SCORES, "heard": PRESENT, "present": PRESENT, "known": KNOWN, **change}
    with pytest.raises(TrainingError, match=says):
        multi_label_figures(**arguments, classes=("a", "b", "c"))
