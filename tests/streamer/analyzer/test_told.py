"""What followers of the analyzer get of its events."""

from __future__ import annotations

import pytest

from streamer.analyzer.told import chosen

LOST = {"event": "lost", "count": 12}


@pytest.mark.parametrize("what", ["detections", "windows", "clips", "alerts", "all"])
def test_that_events_were_lost_is_told_whatever_somebody_follows(what: str) -> None:
    assert list(chosen(LOST, what, ["marsh:out_1"], "birds")) == [LOST]


def test_only_what_somebody_follows() -> None:
    window = {"chan": "marsh:out_1", "result": ["birds-robin"]}
    event = {"event": "results", "windows": [window, {**window, "chan": "pond:out_1"}]}
    assert list(chosen(event, "windows", ["marsh:*"], "birds")) == [{"event": "window", **window}]
    assert list(chosen(event, "windows", ["marsh:*"], "rain")) == []
    assert list(chosen(event, "detections")) == []
