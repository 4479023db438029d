"""Counts of clips hold at every moment, and are those by which ``auto`` weighs."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.keeping.ledger import Ledger
from tidzam_platform.clips import auto_rate
from tidzam_platform.clips.counting import RuleCounts

CLASSES = ["rain", "wind", "birds-robin", "birds-crow", "unknown"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["choose", "give_up", "record", "ask", "answer"]),
        st.sampled_from(CLASSES),
        st.integers(1, 2),
    ),
    max_size=60,
)


@given(STEPS)
def test_every_clip_counts_once_from_its_choice_on(steps: list[tuple[str, str, int]]) -> None:
    """A catalog that is asked at any moment, and answers later, never makes a clip count less; at rest all agree."""
    ledger, catalog, underway = Ledger(), Counter[tuple[str, int]](), Counter[tuple[str, int]]()
    asked = None
    for step, path, rule_id in steps:
        clip = (path, rule_id)
        if step == "choose":
            ledger.choose(path, rule_id)
            underway[clip] += 1
        elif step == "give_up" and underway[clip]:
            ledger.give_up(path, rule_id)
            underway[clip] -= 1
        elif step == "record" and underway[clip]:
            catalog[clip] += 1  # first there
            ledger.record(path, rule_id)
            underway[clip] -= 1
        elif step == "ask":
            asked = (ledger.mark(), catalog.copy())
        elif step == "answer" and asked is not None:
            _replace(ledger, asked[1], asked[0])
            asked = None
        true = _by_class(catalog + underway)
        assert ledger.classes() == {name: number for name, number in true.items() if number}
        for name in CLASSES:
            assert ledger.rate(name, 1) == auto_rate(name, true)
    _replace(ledger, catalog, ledger.mark())
    assert ledger.classes() == _by_class(catalog + underway)


def _replace(ledger: Ledger, catalog: Counter[tuple[str, int]], mark: int) -> None:
    per_rule = Counter[int]()
    for (_, rule_id), number in catalog.items():
        per_rule[rule_id] += number
    ledger.replace(_by_class(catalog), RuleCounts(per_rule, per_rule), mark)


def _by_class(clips: Counter[tuple[str, int]]) -> dict[str, int]:
    found = Counter[str]()
    for (path, _), number in clips.items():
        found[path] += number
    return {path: number for path, number in found.items() if number}


def test_quotas_count_what_is_on_its_way() -> None:
    ledger = Ledger()
    assert ledger.has_room(1, 2, None)
    ledger.choose("rain", 1)
    ledger.choose("rain", 1)
    assert not ledger.has_room(1, 2, None)
    assert not ledger.has_room(1, None, 2)
    assert ledger.has_room(2, 2, 2)
    ledger.give_up("rain", 1)
    assert ledger.has_room(1, 2, 2)
    ledger.record("rain", 1)
    ledger.replace({}, RuleCounts({1: 5}, {1: 0}), ledger.mark())  # another day
    assert ledger.has_room(1, 2, None)
    assert not ledger.has_room(1, None, 5)
    assert ledger.rules() == {1: 5}


def test_clips_that_a_process_before_had_chosen_count_when_they_are_recorded() -> None:
    ledger = Ledger()
    ledger.give_up("rain", 1)
    assert ledger.classes() == {}
    ledger.record("rain", 1)
    assert ledger.classes() == {"rain": 1}
