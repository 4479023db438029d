"""Rules in the original's shapes are read, and told again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.clips import RecorderRuleSpec, from_original, to_original
from tidzam_platform.errors import RuleError


def test_a_rule_of_the_original_is_read() -> None:
    rule = from_original(
        {
            "channels": "impoundment:out_1,marsh",
            "classes": "*",
            "dst": "",
            "length": 0.5,
            "rate": "auto",
            "object_filter": False,
        }
    )
    assert rule == RecorderRuleSpec.parse(
        {"channels": ["impoundment:out_1", "marsh:out_*"], "length_s": 0.5, "rate": "auto"}
    )
    assert rule.destination == "unchecked"
    assert rule.at_least == 1


def test_lists_and_texts_of_numbers_and_truths_are_read_too() -> None:
    rule = from_original(
        {
            "channels": ["marsh:out_1"],
            "classes": ["birds", "unknown"],
            "dst": "night",
            "length": "2",
            "rate": "0.5",
            "object_filter": "true",
            "id": 4,
            "count": 12,
        }
    )
    assert (rule.length_s, rule.rate, rule.object_filter, rule.destination) == (2.0, 0.5, True, "night")


@pytest.mark.parametrize(
    "wrong",
    [
        {"dst": "../../home"},
        {"dst": "/etc"},
        {"rate": 7},
        {"length": 0},
        {"length": "long"},
        {"object_filter": "maybe"},
        {"channels": 3},
        {"channels": ","},
        {"exec": "rm"},
        ["channels"],
    ],
)
def test_what_makes_no_sense_is_refused(wrong: object) -> None:
    with pytest.raises(RuleError):
        from_original(wrong)  # type: ignore[arg-type]


@given(
    st.lists(st.sampled_from(["*", "marsh:out_*", "pond:out_2"]), min_size=1, unique=True),
    st.lists(st.sampled_from(["*", "birds", "unknown", "rain"]), min_size=1, unique=True),
    st.sampled_from(["unchecked", "night_birds"]),
    st.floats(0.5, 60),
    st.just("auto") | st.floats(0, 1),
    st.booleans(),
)
def test_what_the_original_can_say_comes_back_as_it_was(
    channels: list[str], classes: list[str], dst: str, length: float, rate: float | str, object_filter: bool
) -> None:
    said = {
        "channels": ",".join(channels),
        "classes": ",".join(classes),
        "dst": dst,
        "length": length,
        "rate": rate,
        "object_filter": object_filter,
    }
    rule = from_original(said)
    assert to_original(rule) == said
    told = to_original(rule, 7, 20)
    assert (told["id"], told["count"]) == (7, 20)
    assert from_original(told) == rule


def test_a_rule_that_forbids_is_told_as_one_that_keeps_nothing() -> None:
    told = to_original(RecorderRuleSpec.parse({"forbid": True, "classes": "human"}))
    assert told["rate"] == 0
    assert told["forbid"] is True
