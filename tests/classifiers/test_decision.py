"""Decision and events: the deepest sure class, unknown, no_signal, and merging over windows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN, Answer, ClassNode, Decider
from tidzam_platform.classifiers.events import Event, EventMerger
from tidzam_platform.classifiers.tree import node_weights, nodes_of

TREE = [
    ClassNode("birds", None, 0.5),
    ClassNode("birds-crow", "birds", 0.5),
    ClassNode("birds-robin", "birds", 0.5),
    ClassNode("rain", None, 0.7),
]


def decide(scores: list[float], level_dbfs: float = -20.0) -> Answer:
    (answer,) = Decider(TREE, no_signal_dbfs=-65.0).decide(
        np.array([scores], np.float32), np.array([level_dbfs])
    )
    return answer


def test_a_sure_species_is_the_answer() -> None:
    answer = decide([0.95, 0.9, 0.05, 0.05])
    assert answer.class_path == "birds-crow"
    assert np.isclose(answer.score, 0.9)


def test_a_sure_bird_of_unsure_species_is_a_bird() -> None:
    assert decide([0.9, 0.46, 0.44, 0.1]).class_path == "birds"


def test_nothing_sure_is_unknown() -> None:
    assert decide([0.4, 0.3, 0.1, 0.45]).class_path == UNKNOWN


def test_each_class_has_its_own_threshold() -> None:
    assert decide([0.2, 0.1, 0.1, 0.69]).class_path == UNKNOWN
    assert decide([0.2, 0.1, 0.1, 0.71]).class_path == "rain"


def test_below_the_level_there_is_no_signal_whatever_the_scores() -> None:
    assert decide([1.0, 1.0, 0.0, 0.0], level_dbfs=-65.1).class_path == NO_SIGNAL


def test_scores_of_inner_classes_sum_what_lies_below() -> None:
    outputs = ["a-b", "a-c-d", "e"]
    assert nodes_of(outputs) == ["a", "a-b", "a-c", "a-c-d", "e"]
    scores = np.array([0.2, 0.3, 0.5], np.float32) @ node_weights(outputs)
    np.testing.assert_allclose(scores, [0.5, 0.2, 0.3, 0.3, 0.5], rtol=1e-6)


def merge(answers: list[tuple[int, str]], window: int = 10, hop: int = 5) -> list[Event]:
    merger = EventMerger(1, window, hop)
    events = [merger.add(start, Answer(name, 0.5)) for start, name in answers]
    return [event for event in [*events, merger.finish()] if event is not None]


def test_neighbouring_windows_of_one_class_are_one_event() -> None:
    events = merge([(0, "a"), (5, "a"), (10, "b"), (15, "a")])
    assert [(event.start_frame, event.end_frame, event.class_path) for event in events] == [
        (0, 15, "a"),
        (10, 20, "b"),
        (15, 25, "a"),
    ]


def test_a_hole_ends_an_event() -> None:
    assert [(event.start_frame, event.end_frame) for event in merge([(0, "a"), (5, "a"), (40, "a")])] == [
        (0, 15),
        (40, 50),
    ]


def test_an_event_has_the_highest_score_of_its_windows() -> None:
    merger = EventMerger(3, 10, 5)
    assert merger.add(0, Answer("a", 0.6)) is None
    assert merger.add(5, Answer("a", 0.9)) is None
    assert merger.add(10, Answer("a", 0.7)) is None
    assert merger.finish() == Event(3, 0, 20, "a", 0.9)
    assert merger.finish() is None


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=50))
def test_events_tell_every_window_once(names: list[str]) -> None:
    answers = [(5 * index, name) for index, name in enumerate(names)]
    told = [
        (start, event.class_path)
        for event in merge(answers)
        for start in range(event.start_frame, event.end_frame - 10 + 1, 5)
    ]
    assert told == answers
