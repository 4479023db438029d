"""Pictures are pictures, of one class as of many."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tidzam_platform.classifiers.evaluation import compare, confusion_picture
from tidzam_platform.classifiers.evaluation.calibration_figures import reliability_table
from tidzam_platform.classifiers.evaluation.pictures import class_bars_picture, reliability_picture


def size_of(picture: bytes) -> tuple[int, int]:
    from matplotlib.image import imread

    height, width = imread(io.BytesIO(picture), format="png").shape[:2]
    return height, width


@pytest.mark.parametrize("clips", [1, 40])
def test_a_reliability_diagram_is_drawn_of_few_and_of_many_clips(clips: int) -> None:
    confidence = np.linspace(0.1, 1, clips)
    table = reliability_table(confidence, confidence > 0.5)
    assert min(size_of(reliability_picture(table, 0.1))) > 300


def test_bars_and_matrix_grow_with_the_classes() -> None:
    few, many = ({f"class_{number}": number / 40 for number in range(classes)} for classes in (2, 15))
    assert size_of(class_bars_picture(few, "F1"))[0] < size_of(class_bars_picture(many, "F1"))[0]
    small, large = (compare([(name,) for name in names], sorted(names)) for names in (few, many))
    assert size_of(confusion_picture(small)) < size_of(confusion_picture(large))
