"""Decision and events: the deepest sure class, unknown, no_signal, and merging over windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN, Answer, ClassNode, Decider, MarginDecider
from tidzam_platform.classifiers.events import Event, EventMerger
from tidzam_platform.errors import SettingsError

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


def decide_by_margin(scores: list[float], level_dbfs: float = -20.0) -> Answer:
    (answer,) = MarginDecider(TREE, no_signal_dbfs=-65.0).decide(
        np.array([scores], np.float32), np.array([level_dbfs])
    )
    return answer


def test_margin_a_class_that_leads_by_more_than_half_is_the_answer() -> None:
    assert decide_by_margin([0.2, 0.1, 0.1, 0.75]) == Answer("rain", 0.75)
    assert decide_by_margin([0.9, 0.4, 0.4, 0.1]).class_path == "birds"


def test_margin_its_child_is_the_answer_with_more_than_half() -> None:
    answer = decide_by_margin([0.9, 0.55, 0.3, 0.1])
    assert answer.class_path == "birds-crow"
    assert np.isclose(answer.score, 0.55)
    assert decide_by_margin([0.9, 0.5, 0.4, 0.1]).class_path == "birds", "0.5 does not exceed 0.5"


def test_margin_otherwise_it_is_unknown() -> None:
    assert decide_by_margin([0.75, 0.7, 0.0, 0.25]) == Answer(UNKNOWN, 0.75), "0.5 does not exceed 0.5"
    assert decide_by_margin([0.3, 0.2, 0.1, 0.4]).class_path == UNKNOWN
    assert decide_by_margin([0.5, 0.5, 0.0, 0.0]).class_path == UNKNOWN


def test_margin_a_descendant_is_no_rival_but_a_class_whose_name_only_begins_alike_is() -> None:
    classes = [ClassNode("bird", None, 0), ClassNode("bird-crow", "bird", 0), ClassNode("birds", None, 0)]
    scores = np.array([[0.9, 0.85, 0.1], [0.9, 0.1, 0.85]], np.float32)
    answers = MarginDecider(classes, -65.0).decide(scores, np.array([-20.0, -20.0]))
    assert [answer.class_path for answer in answers] == ["bird-crow", UNKNOWN]


def test_margin_goes_down_to_any_depth_also_where_a_class_has_a_single_child() -> None:
    paths = ["a", "a-b", "a-b-c", "d"]
    parents = [None, "a", "a-b", None]
    classes = [ClassNode(path, parent, 0.0) for path, parent in zip(paths, parents, strict=True)]
    scores = np.array([[0.9, 0.9, 0.9, 0.1], [0.9, 0.8, 0.3, 0.1]], np.float32)
    answers = MarginDecider(classes, -65.0).decide(scores, np.array([-20.0, -20.0]))
    assert [answer.class_path for answer in answers] == ["a-b-c", "a-b"]


def test_margin_below_the_level_there_is_no_signal() -> None:
    assert decide_by_margin([0.2, 0.1, 0.1, 0.9], level_dbfs=-70.0) == Answer(NO_SIGNAL, 1.0)


@given(
    st.lists(st.floats(0, 1, width=16), min_size=4, max_size=4).filter(lambda shares: sum(shares) > 0),
    st.floats(0.01, 1),
)
def test_margin_the_child_it_takes_is_the_runner_up_of_the_original_rule(
    shares: list[float], confidence: float
) -> None:
    crow, robin, other_bird, rain = (confidence * share / sum(shares) for share in shares)
    scores = [crow + robin + other_bird, crow, robin, rain]
    answer = decide_by_margin(scores)
    if answer.class_path.startswith("birds-"):
        ranking = sorted(range(4), key=lambda index: -scores[index])
        assert {TREE[ranking[0]].path, TREE[ranking[1]].path} == {"birds", answer.class_path}


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


def test_edges_by_the_hop_lie_around_the_centres_of_the_windows() -> None:
    merger = EventMerger(1, window_frames=10, hop_frames=4, edges="hop")
    assert merger.add(8, Answer("a", 0.5)) is None
    assert merger.add(12, Answer("a", 0.5)) is None
    assert merger.add(16, Answer("b", 0.5)) == Event(1, 11, 19, "a", 0.5)
    assert merger.finish() == Event(1, 19, 23, "b", 0.5)


def test_edges_by_the_hop_are_those_of_the_windows_where_these_do_not_overlap() -> None:
    for hop in (10, 25):
        merger = EventMerger(1, window_frames=10, hop_frames=hop, edges="hop")
        assert merger.add(0, Answer("a", 0.5)) is None
        assert merger.finish() == Event(1, 0, 10, "a", 0.5)


def test_edges_that_there_are_not_are_refused() -> None:
    with pytest.raises(SettingsError, match="'window' or 'hop', not 'middle'"):
        EventMerger(1, 10, 5, edges="middle")


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30), st.integers(1, 12), st.integers(1, 12))
def test_events_by_the_hop_follow_one_another_without_gap_or_overlap(
    names: list[str], window: int, hop: int
) -> None:
    merger = EventMerger(1, window + hop, hop, edges="hop")
    events = [merger.add(hop * index, Answer(name, 0.5)) for index, name in enumerate(names)]
    told = [event for event in [*events, merger.finish()] if event is not None]
    assert all(one.end_frame == other.start_frame for one, other in pairwise(told))
    assert told[-1].end_frame - told[0].start_frame == hop * len(names)
    assert told[0].start_frame == window // 2


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=50))
def test_events_tell_every_window_once(names: list[str]) -> None:
    answers = [(5 * index, name) for index, name in enumerate(names)]
    told = [
        (start, event.class_path)
        for event in merge(answers)
        for start in range(event.start_frame, event.end_frame - 10 + 1, 5)
    ]
    assert told == answers
