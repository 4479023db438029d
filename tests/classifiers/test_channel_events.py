"""Scores of a channel's windows become events as the settings say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.classifiers.channel_events import ChannelEvents, make_decider
from tidzam_platform.classifiers.decision import UNKNOWN, ClassNode, MarginDecider
from tidzam_platform.classifiers.events import EventMerger
from tidzam_platform.settings import DecisionSettings, EventSettings

CLASSES = [ClassNode("bird", None, 0.5), ClassNode("frog", None, 0.5)]
RATE_HZ, WINDOW, HOP = 100, 100, 50
PLAIN = {"on_threshold": 0, "off_threshold": 0, "fill_s": 0}
LOUD = 0.0


def heard(scores_of_bird: list[float], **rules: object) -> list[tuple[float, float, str]]:
    """Events of windows that follow one another, in seconds, without those that are no sound."""
    settings = DecisionSettings(events=EventSettings.model_validate({**PLAIN, **rules}))
    channel = ChannelEvents(1, CLASSES, WINDOW, HOP, RATE_HZ, settings)
    events = []
    for number, score in enumerate(scores_of_bird):
        events += channel.add(number * HOP, np.array([score, 0.1], np.float32), LOUD)[1]
    events += channel.finish()
    return [
        (event.start_frame / RATE_HZ, event.end_frame / RATE_HZ, event.class_path)
        for event in events
        if event.class_path != UNKNOWN
    ]


def test_a_window_speaks_for_the_hop_around_its_middle_unless_told_otherwise() -> None:
    assert heard([0.1, 0.9, 0.9, 0.1]) == [(0.75, 1.75, "bird")]
    assert heard([0.1, 0.9, 0.9, 0.1], edges="window") == [(0.5, 2.0, "bird")]


def test_a_sure_beginning_carries_an_unsure_end() -> None:
    scores = [0.1, 0.9, 0.4, 0.4, 0.1]
    assert heard(scores) == [(0.75, 1.25, "bird")]
    assert heard(scores, off_threshold=0.3) == [(0.75, 2.25, "bird")]
    assert heard([0.1, 0.6, 0.6], on_threshold=0.7, off_threshold=0.3) == []


def test_gaps_are_filled_and_short_sounds_are_left_out_in_seconds() -> None:
    assert heard([0.9, 0.1, 0.9], fill_s=0.5) == [(0.25, 1.75, "bird")]
    assert heard([0.9, 0.1, 0.1, 0.9, 0.9], minimum_s=0.9) == [(1.75, 2.75, "bird")]


def test_smoothing_bridges_a_weak_window_and_its_delay_is_made_good() -> None:
    steady = heard([0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.1, 0.1])
    (smoothed,) = heard([0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.1, 0.1], smoothing_windows=3)
    assert [smoothed] == steady, "the middle of a symmetric sound stays where it was"
    assert len(heard([0.9, 0.9, 0.3, 0.9, 0.9])) == 2
    assert len(heard([0.9, 0.9, 0.3, 0.9, 0.9], smoothing_windows=3)) == 1


def test_missing_windows_end_an_event_and_smoothing_does_not_reach_over_them() -> None:
    settings = DecisionSettings(events=EventSettings(smoothing_windows=3, fill_s=5.0))
    channel = ChannelEvents(1, CLASSES, WINDOW, HOP, RATE_HZ, settings)
    channel.add(0, np.array([0.9, 0.0], np.float32), LOUD)
    answer, settled = channel.add(10 * HOP, np.array([0.0, 0.9], np.float32), LOUD)
    assert answer.class_path == "frog"
    assert [event.class_path for event in settled] == ["bird"]


def test_the_rule_of_the_original_can_be_chosen() -> None:
    assert isinstance(make_decider(CLASSES, DecisionSettings(rule="margin")), MarginDecider)


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=1, max_size=40))
@pytest.mark.parametrize("edges", ["window", "hop"])
def test_without_rules_events_are_the_runs_of_equal_answers(
    edges: str, scores: list[tuple[float, float]]
) -> None:
    settings = DecisionSettings(events=EventSettings.model_validate({**PLAIN, "edges": edges}))
    decider = make_decider(CLASSES, settings)
    channel = ChannelEvents(1, CLASSES, WINDOW, HOP, RATE_HZ, settings)
    merger = EventMerger(1, WINDOW, HOP, edges=settings.events.edges)
    found, expected = [], []
    for number, row in enumerate(scores):
        row_scores = np.array(row, np.float32)
        (answer,) = decider.decide(row_scores[np.newaxis], np.zeros(1, np.float32))
        found += channel.add(number * HOP, row_scores, LOUD)[1]
        expected += filter(None, [merger.add(number * HOP, answer)])
    found += channel.finish()
    expected += filter(None, [merger.finish()])
    assert found == expected
