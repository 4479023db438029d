"""Figures against a hand calculation; the picture is a picture."""

from __future__ import annotations

import pytest

from tidzam_platform.classifiers.evaluation import compare, confusion_picture


def test_figures_equal_a_hand_calculation() -> None:
    truths = [("a",), ("a",), ("a",), ("b",), ("b",), ("c",)]
    answers = ["a", "a", "b", "b", "a", "a"]
    result = compare(truths, answers)
    assert result.classes == ("a", "b", "c")
    assert result.confusion == ((2, 1, 0), (1, 1, 0), (1, 0, 0))
    assert result.per_class["a"].precision == pytest.approx(2 / 4)
    assert result.per_class["a"].recall == pytest.approx(2 / 3)
    assert result.per_class["b"].f1 == pytest.approx(0.5)
    assert result.per_class["c"].f1 == 0
    assert result.macro_f1 == pytest.approx((4 / 7 + 0.5 + 0) / 3)
    assert result.accuracy == pytest.approx(0.5)


def test_an_answer_that_is_no_truth_lowers_recall_but_is_no_class_of_the_mean() -> None:
    result = compare([("a",), ("a",)], ["a", "z"])
    assert result.macro_f1 == pytest.approx(2 / 3)
    assert result.per_class["z"].clips == 0


def test_any_class_of_a_clip_with_several_is_right() -> None:
    assert compare([("a", "b"), ("c",)], ["b", "c"]).accuracy == 1


def test_the_confusion_matrix_is_a_png() -> None:
    assert confusion_picture(compare([("a",), ("b",)], ["a", "a"])).startswith(b"\x89PNG")
