"""A loop goes on after a fault that nobody foresaw, which is said and counted, and does not take a core."""

from __future__ import annotations

import logging

import pytest

from streamer.analyzer.loop_guard import LoopGuard


def test_a_fault_ends_a_turn_and_not_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    pauses: list[float] = []
    guard = LoopGuard("deciding", pauses.append)
    done = []
    with caplog.at_level(logging.ERROR):
        for turn in range(6):
            with guard:
                if turn in (1, 2, 3, 5):
                    raise RuntimeError(f"nobody foresaw {turn}")
                done.append(turn)
    assert done == [0, 4]
    assert guard.faults == 4
    assert pauses == [0.05, 0.1, 0.2, 0.05], "longer while faults follow one another"
    assert [record.getMessage() for record in caplog.records] == ["deciding goes on after a fault (number 1)"]
    assert "nobody foresaw 1" in caplog.text


def test_the_end_of_the_process_is_no_fault() -> None:
    guard = LoopGuard("deciding")
    with pytest.raises(KeyboardInterrupt), guard:
        raise KeyboardInterrupt
    assert guard.faults == 0
