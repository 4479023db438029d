"""Decision and events where several classes may sound at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.classifiers.channel_events import ChannelEvents, make_decider
from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN, Answer, ClassNode, MultiLabelDecider
from tidzam_platform.classifiers.event_detection import EventDetector, EventRules
from tidzam_platform.classifiers.events import Event
from tidzam_platform.classifiers.overlapping_events import OverlappingEventDetector
from tidzam_platform.errors import SettingsError
from tidzam_platform.labels.class_paths import ancestors, parent
from tidzam_platform.settings import DecisionSettings, EventSettings

TREE = [
    ClassNode("birds", None, 0.5),
    ClassNode("birds-crow", "birds", 0.4),
    ClassNode("birds-robin", "birds", 0.4),
    ClassNode("rain", None, 0.7),
    ClassNode("water", None, 0.5),
    ClassNode("water-wave", "water", 0.5),
    ClassNode("water-wave-surf", "water-wave", 0.5),
]
PATHS = [node.path for node in TREE]
LOUD = np.zeros(1, np.float32)
WINDOW, HOP = 4, 2


def sounds(level_dbfs: float = -20.0, **scores: float) -> list[Answer]:
    """Answers for scores by the last part of their class; 0 where none is given."""
    row = np.array([[scores.get(path.rpartition("-")[2], 0.0) for path in PATHS]], np.float32)
    (found,) = MultiLabelDecider(TREE, -65.0).sounds(row, np.array([level_dbfs]))
    assert MultiLabelDecider(TREE, -65.0).decide(row, np.array([level_dbfs])) == found[:1]
    return found


def names(answers: list[Answer]) -> list[str]:
    return [answer.class_path for answer in answers]


def test_siblings_are_no_rivals_and_the_best_leaf_comes_first() -> None:
    assert names(sounds(birds=0.9, crow=0.6, robin=0.8, rain=0.75)) == ["birds-robin", "rain", "birds-crow"]


def test_each_class_has_its_own_threshold() -> None:
    assert names(sounds(birds=0.9, crow=0.6, rain=0.69)) == ["birds-crow"]


def test_a_sure_leaf_comes_before_a_surer_inner_class() -> None:
    assert names(sounds(birds=0.95, crow=0.3, rain=0.7)) == ["rain", "birds"]


def test_without_a_sure_leaf_the_deepest_sure_class_comes_first() -> None:
    assert names(sounds(birds=0.95, water=0.7, wave=0.6, surf=0.4)) == ["water-wave", "birds"]


def test_a_class_below_an_unsure_one_is_not_heard() -> None:
    assert names(sounds(birds=0.45, crow=0.44)) == [UNKNOWN]
    assert sounds(birds=0.45, crow=0.44) == [Answer(UNKNOWN, pytest.approx(0.45))]


def test_below_the_level_there_is_no_signal_whatever_the_scores() -> None:
    assert sounds(level_dbfs=-66, rain=1.0) == [Answer(NO_SIGNAL, 1.0)]


shares = st.floats(0, 1, width=16)


@given(st.lists(st.tuples(shares, shares), min_size=len(TREE), max_size=len(TREE)))
def test_what_is_heard_has_only_true_classes_above_it_and_nothing_true_below(
    drawn: list[tuple[float, float]],
) -> None:
    nodes = [
        ClassNode(node.path, node.parent, threshold) for node, (_, threshold) in zip(TREE, drawn, strict=True)
    ]
    scores: dict[str, float] = {}
    for node, (share, _) in zip(TREE, drawn, strict=True):
        scores[node.path] = share * scores.get(node.parent or "", 1.0)
    row = np.array([[scores[path] for path in PATHS]], np.float32)
    passes = {
        node.path for node, score in zip(nodes, row[0], strict=True) if score >= np.float32(node.threshold)
    }
    (found,) = MultiLabelDecider(nodes, -65.0).sounds(row, LOUD)
    if names(found) == [UNKNOWN]:
        assert not {node.path for node in nodes if node.parent is None} & passes
        return
    assert len(set(names(found))) == len(found)
    for answer in found:
        assert {answer.class_path, *ancestors(answer.class_path)} <= passes
        below = {path for path in PATHS if parent(path) == answer.class_path}
        assert not below & passes
        assert scores[answer.class_path] == pytest.approx(answer.score, abs=1e-3)
    leaves = {path for path in PATHS if path not in {node.parent for node in TREE}}
    heard_leaves = [answer for answer in found if answer.class_path in leaves]
    if heard_leaves:
        assert found[0].score == max(answer.score for answer in heard_leaves)
        assert found[0].class_path in leaves
    else:
        depth = len(ancestors(found[0].class_path))
        assert depth == max(len(ancestors(name)) for name in names(found))


def test_the_margin_rule_has_no_rivals_to_compare_with() -> None:
    with pytest.raises(SettingsError, match=r"margin.*thresholds"):
        make_decider(TREE, DecisionSettings(rule="margin"), "multi")


def spans(events: list[Event]) -> list[tuple[int, int, str]]:
    return sorted((event.start_frame, event.end_frame, event.class_path) for event in events)


def detect(windows: list[str], rules: EventRules) -> list[Event]:
    """Events of windows that follow one another; each is the letters of its classes, ``.`` unknown, ``_`` no signal."""
    detector = OverlappingEventDetector(1, WINDOW, HOP, rules)
    special = {".": UNKNOWN, "_": NO_SIGNAL}
    events = []
    for index, letters in enumerate(windows):
        if letters:
            answers = [Answer(special.get(letter, letter), 0.5) for letter in letters]
            events += detector.add(HOP * index, answers)
    return events + detector.finish()


def test_events_of_several_classes_overlap() -> None:
    assert spans(detect(["a", "ab", "ab", "b", ".", "a"], EventRules())) == [
        (0, 8, "a"),
        (2, 10, "b"),
        (8, 12, UNKNOWN),
        (10, 14, "a"),
    ]


def test_another_class_neither_ends_an_event_nor_keeps_its_gap_open() -> None:
    rules = EventRules(fill_frames=2 * HOP, minimum_frames=3 * HOP)
    assert spans(detect(["a", "b", "ab", "b", "b", "a"], rules)) == [(0, 14, "a"), (2, 12, "b")]
    assert spans(detect(["a", "b", "b", "b", "a"], rules)) == [(2, 10, "b")]


def test_missing_windows_end_every_event() -> None:
    assert spans(detect(["ab", "", "ab"], EventRules(fill_frames=4 * HOP))) == [
        (0, 4, "a"),
        (0, 4, "b"),
        (4, 8, "a"),
        (4, 8, "b"),
    ]


windows = st.lists(st.sampled_from(["a", "b", "c", "ab", "bc", "abc", ".", "_", ""]), max_size=30)


@given(windows, st.integers(0, 3), st.integers(0, 5), st.sampled_from(["window", "hop"]))
def test_each_class_has_the_events_that_it_would_have_alone(
    drawn: list[str], fill: int, least: int, edges: str
) -> None:
    rules = EventRules(fill_frames=fill * HOP, minimum_frames=least * HOP, edges=edges)  # type: ignore[arg-type]
    found = detect(drawn, rules)
    for letter in "abc":
        alone = EventDetector(1, WINDOW, HOP, rules)
        events = []
        for index, letters in enumerate(drawn):
            if letters:
                name = letter if letter in letters else NO_SIGNAL if letters == "_" else UNKNOWN
                events += alone.add(HOP * index, Answer(name, 0.5 if name == letter else 0.0))
        events += alone.finish()
        mine = [event for event in events if event.class_path == letter]
        assert spans([event for event in found if event.class_path == letter]) == spans(mine)


@given(st.lists(st.sampled_from("abc._"), max_size=30))
def test_where_one_class_sounds_at_a_time_events_are_those_of_single_labels(drawn: list[str]) -> None:
    detector = EventDetector(1, WINDOW, HOP, EventRules())
    special = {".": UNKNOWN, "_": NO_SIGNAL}
    events = []
    for index, letter in enumerate(drawn):
        events += detector.add(HOP * index, Answer(special.get(letter, letter), 0.5))
    assert spans(detect(drawn, EventRules())) == spans(events + detector.finish())


def test_an_event_goes_on_while_its_class_scores_enough_whatever_else_sounds() -> None:
    settings = DecisionSettings(events=EventSettings(off_threshold=0.3, on_threshold=0.6, edges="window"))
    classes = [ClassNode("frog", None, 0.6), ClassNode("rain", None, 0.6)]
    channel = ChannelEvents(1, classes, WINDOW, HOP, 8000, settings, "multi")
    events, answers = [], []
    for index, row in enumerate([(0.9, 0.1), (0.4, 0.8), (0.4, 0.8), (0.1, 0.8)]):
        answer, settled = channel.add(HOP * index, np.array(row, np.float32), 0.0)
        answers.append(answer.class_path)
        events += settled
    assert answers == ["frog", "rain", "rain", "rain"]
    assert spans(events + channel.finish()) == [(0, 8, "frog"), (2, 10, "rain")]
