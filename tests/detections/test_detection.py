"""Which events are detections."""

from __future__ import annotations

import pytest

from tidzam_platform.classifiers.events import Event
from tidzam_platform.detections.detection import is_detection


@pytest.mark.parametrize(
    ("class_path", "expected"),
    [
        ("birds-american_crow", True),
        ("noise", True),
        ("no_signals", True),
        ("unknown", False),
        ("no_signal", False),
        ("no_signal-silence", False),
    ],
)
def test_what_was_not_heard_is_no_detection(class_path: str, expected: bool) -> None:
    assert is_detection(Event(1, 0, 24_000, class_path, 0.9)) == expected
