"""Events by rules: hysteresis, filled gaps, least length; the same as plain merging where no rule is set.

Windows are drawn as letters, one a hop: classes, ``.`` for unknown, ``_`` for no signal, a space for a missing one.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN, Answer
from tidzam_platform.classifiers.event_detection import EventDetector, EventRules
from tidzam_platform.classifiers.events import Event, EventMerger
from tidzam_platform.errors import SettingsError

WINDOW, HOP = 4, 2
NAMES = {".": UNKNOWN, "_": NO_SIGNAL, "A": "a-b"}  # A is below a


def name_of(letter: str) -> str:
    return NAMES.get(letter, letter)


def detect(drawn: str, rules: EventRules) -> list[Event]:
    detector = EventDetector(1, WINDOW, HOP, rules)
    events = []
    for index, letter in enumerate(drawn):
        if letter != " ":
            events += detector.add(HOP * index, Answer(name_of(letter), 0.5))
    return events + detector.finish()


def draw(events: list[Event], length: int) -> str:
    """The windows that events with edges by the hop cover, as letters; a space where there is none."""
    letters = [" "] * length
    back = {name: letter for letter, name in NAMES.items()}
    trim = (WINDOW - HOP) // 2
    for event in events:
        for index in range((event.start_frame - trim) // HOP, (event.end_frame - trim) // HOP):
            assert letters[index] == " ", "told twice"
            letters[index] = back.get(event.class_path, event.class_path)
    return "".join(letters)


def redrawn(drawn: str, **rules: float) -> str:
    return draw(detect(drawn, EventRules(edges="hop", **rules)), len(drawn))


drawings = st.text(alphabet="aAb._ ", min_size=1, max_size=40)


@given(drawings, st.sampled_from(["window", "hop"]))
def test_without_rules_events_are_those_of_the_merger(drawn: str, edges: str) -> None:
    merger = EventMerger(1, WINDOW, HOP, edges=edges)
    plain = [
        merger.add(HOP * index, Answer(name_of(letter), 0.5))
        for index, letter in enumerate(drawn)
        if letter != " "
    ]
    expected = [event for event in [*plain, merger.finish()] if event is not None]
    assert detect(drawn, EventRules(edges=edges)) == expected


@pytest.mark.parametrize(
    ("drawn", "fill_frames", "expected"),
    [
        ("aa.aa", 0, "aa.aa"),
        ("aa.aa", 2, "aaaaa"),
        ("aa..aa", 2, "aa..aa"),
        ("aa..aa", 5, "aaaaaa"),
        ("aa.aa.aa", 2, "aaaaaaaa"),
        ("a_a", 2, "aaa"),
        ("AaA", 2, "AAA"),
        ("aAa", 2, "aAa"),
        ("aba", 2, "aba"),
        ("a.b.a", 8, "a.b.a"),
        ("a a", 8, "a a"),
        ("a. .a", 8, "a. .a"),
        (".a.", 8, ".a."),
        (".._..", 8, ".._.."),
    ],
)
def test_gaps_of_a_sound_are_filled_unless_something_else_was_heard(
    drawn: str, fill_frames: int, expected: str
) -> None:
    assert redrawn(drawn, fill_frames=fill_frames) == expected


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [("abb", " bb"), ("bab", "   "), ("bb.a", "bb. "), ("_a_", "_ _"), (".", "."), ("aaa", "aaa")],
)
def test_sounds_that_are_too_short_are_left_out(drawn: str, expected: str) -> None:
    assert redrawn(drawn, minimum_frames=2 * HOP) == expected


def test_gaps_are_filled_before_short_events_are_left_out() -> None:
    assert redrawn("a.a.a", fill_frames=2, minimum_frames=5 * HOP) == "aaaaa"
    assert redrawn("a.a.a", fill_frames=0, minimum_frames=5 * HOP) == " . . "


def detect_scores(windows: list[tuple[str, dict[str, float]]], rules: EventRules) -> str:
    """The answers' own scores are those of their class; of others the highest."""
    detector = EventDetector(1, WINDOW, HOP, rules)
    events = []
    for index, (letter, scores) in enumerate(windows):
        by_path = {name_of(key): value for key, value in scores.items()}
        answer = Answer(name_of(letter), by_path.get(name_of(letter), max(by_path.values(), default=0.0)))
        events += detector.add(HOP * index, answer, by_path)
    return draw(events + detector.finish(), len(windows))


def test_an_event_begins_at_one_score_and_goes_on_at_a_lower_one() -> None:
    scores = [0.5, 0.8, 0.5, 0.3, 0.8, 0.5]
    heard = [("a", {"a": score}) for score in scores]
    assert detect_scores(heard, EventRules(edges="hop")) == "aaaaaa"
    assert detect_scores(heard, EventRules(edges="hop", on_threshold=0.7)) == ".a..a."
    assert detect_scores(heard, EventRules(edges="hop", on_threshold=0.7, off_threshold=0.4)) == ".aa.aa"


def test_an_event_goes_on_while_the_answer_leaves_it_open() -> None:
    rules = EventRules(edges="hop", on_threshold=0.7, off_threshold=0.4)
    weak, strong = {"A": 0.45, "a": 0.6, "b": 0.5}, {"A": 0.9, "a": 0.95, "b": 0.0}
    assert detect_scores([("A", strong), (".", weak), ("a", weak), ("A", weak)], rules) == "AAAA"
    assert detect_scores([("A", strong), ("b", {"A": 0.45, "b": 0.8}), ("A", weak)], rules) == "Ab."
    assert detect_scores([("A", strong), ("_", weak), ("A", weak)], rules) == "A_."
    faint = {"A": 0.3, "a": 0.9}
    assert detect_scores([("A", strong), ("a", faint)], rules) == "Aa", "the class above is heard itself"


def test_missing_windows_end_what_was_held_on_to() -> None:
    detector = EventDetector(1, WINDOW, HOP, EventRules(on_threshold=0.7, off_threshold=0.4, edges="hop"))
    assert detector.add(0, Answer("a", 0.9), {"a": 0.9}) == []
    (event,) = detector.add(10 * HOP, Answer("a", 0.5), {"a": 0.5})
    assert (event.class_path, event.score) == ("a", 0.9)
    (rest,) = detector.finish()
    assert rest.class_path == UNKNOWN


def test_a_filled_gap_does_not_raise_the_score() -> None:
    detector = EventDetector(1, WINDOW, HOP, EventRules(fill_frames=HOP))
    for index, (name, score) in enumerate([("a", 0.6), (UNKNOWN, 0.9), ("a", 0.7)]):
        assert detector.add(index * HOP, Answer(name, score)) == []
    assert detector.finish() == [Event(1, 0, 2 * HOP + WINDOW, "a", 0.7)]


def test_an_event_is_told_as_soon_as_it_is_settled() -> None:
    detector = EventDetector(1, WINDOW, HOP, EventRules(fill_frames=2 * HOP, edges="hop"))
    told = [
        [event.class_path for event in detector.add(index * HOP, Answer(name_of(letter), 0.5))]
        for index, letter in enumerate("aa.......")
    ]
    assert told == [[], [], [], [], ["a"], [], [], [], []]


@given(drawings, st.integers(0, 12), st.integers(0, 12))
def test_a_detector_is_as_new_after_it_finished(drawn: str, fill: int, least: int) -> None:
    rules = EventRules(fill_frames=fill, minimum_frames=least)
    detector = EventDetector(1, WINDOW, HOP, rules)

    def run() -> list[Event]:
        events = []
        for index, letter in enumerate(drawn):
            if letter != " ":
                events += detector.add(HOP * index, Answer(name_of(letter), 0.5))
        return events + detector.finish()

    assert run() == run() == detect(drawn, rules)


@given(drawings, st.integers(0, 12))
def test_filling_only_gives_windows_of_gaps_to_the_sound_around_them(drawn: str, fill: int) -> None:
    filled = redrawn(drawn, fill_frames=fill)
    assert len(filled) == len(drawn)
    for before, after in zip(drawn, filled, strict=True):
        assert after == before or (before in "._" and after in "aAb") or (before == "a" and after == "A")


def test_memory_is_bounded_however_long_nothing_is_heard() -> None:
    detector = EventDetector(1, WINDOW, HOP, EventRules(fill_frames=4 * HOP, minimum_frames=3 * HOP))
    detector.add(0, Answer("a", 0.5))
    held = []
    for index in range(1, 1000):
        detector.add(index * HOP, Answer(UNKNOWN, 0.1))
        held.append(len(detector._filler._held))
    assert max(held) == 4


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"on_threshold": 1.5}, "on_threshold"),
        ({"off_threshold": -0.1}, "off_threshold"),
        ({"on_threshold": 0.4, "off_threshold": 0.5}, "above on_threshold"),
        ({"fill_frames": -1}, "fill_frames"),
        ({"minimum_frames": -1}, "minimum_frames"),
        ({"edges": "middle"}, "edges"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules: dict, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        EventRules(**rules)
