"""When rules act and when they are released."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.mixer.policy import CLASSES_COUNT_S, Policy
from streamer.engine.mixer.rules import Rule
from tests.streamer.mixer.made import Clock, meters

CHANNEL = "marsh:out_1"
HUM = Rule(name="hum", measure="hum", above=0.5, below=0.3, for_s=2, hold_s=10, release_s=3, mute=True)


class _Site:
    """A policy and its clock; ``see`` is what happens every half second."""

    def __init__(self, *rules: Rule) -> None:
        self.clock = Clock()
        self.policy = Policy(rules, self.clock)

    def see(self, seconds: float, classes: dict[str, float] | None = None, **measured: float) -> list[str]:
        said = []
        for _ in range(round(seconds * 2)):
            self.clock.now_s += 0.5
            changes = self.policy.observe(CHANNEL, meters(**measured), classes)
            said.extend(f"{change.rule.name} {'on' if change.acts else 'off'}" for change in changes)
        return said

    @property
    def mute(self) -> bool:
        return self.policy.decision(CHANNEL).mute


def test_a_rule_acts_when_the_measure_stayed_above_long_enough() -> None:
    site = _Site(HUM)
    assert site.see(1.5, hum=0.6) == []
    assert site.see(0.5, hum=0.2) == []  # the time begins anew
    assert site.see(2.0, hum=0.6) == []
    assert not site.mute
    assert site.see(0.5, hum=0.6) == ["hum on"]
    assert site.mute


def test_between_the_two_bounds_nothing_changes() -> None:
    site = _Site(HUM)
    assert site.see(30, hum=0.4) == []
    site.see(3, hum=0.6)
    assert site.see(60, hum=0.4) == []
    assert site.mute


def test_it_is_held_for_a_while_and_released_when_it_stayed_below() -> None:
    site = _Site(HUM)
    assert site.see(2.5, hum=0.6) == ["hum on"]
    assert site.see(9.5, hum=0.0) == []  # held for 10 s, though it was below for long enough
    assert site.see(0.5, hum=0.0) == ["hum off"]
    site.see(15, hum=0.6)
    assert site.see(3.0, hum=0.0) == []
    assert site.see(0.5, hum=0.0) == ["hum off"]
    assert not site.mute


def test_each_measure_is_looked_at() -> None:
    rules = [
        Rule(name="level", measure="level", above=-20, for_s=0, mute=True),
        Rule(name="peak", measure="peak", above=-3, for_s=0, mute=True),
        Rule(name="clipping", measure="clipping", above=0.01, for_s=0, mute=True),
        Rule(name="people", measure="class", class_path="human", above=0.5, for_s=0, mute=True),
    ]
    assert _Site(*rules).see(0.5, level=-19) == ["level on"]
    assert _Site(*rules).see(0.5, peak=-1) == ["peak on"]
    assert _Site(*rules).see(0.5, clipped=0.02) == ["clipping on"]
    assert _Site(*rules).see(0.5, {"human-speech": 0.6, "birds": 0.9}) == ["people on"]
    assert _Site(*rules).see(0.5, {"humanoid": 0.9, "birds-human": 0.9, "human": float("nan")}) == []


def test_a_class_that_nobody_judges_any_more_is_released() -> None:
    people = Rule(
        name="people",
        measure="class",
        class_path="human",
        above=0.5,
        for_s=0,
        hold_s=1,
        release_s=1,
        mute=True,
    )
    site = _Site(people)
    assert site.see(0.5, {"human": 0.9}) == ["people on"]
    assert site.see(CLASSES_COUNT_S, None) == []  # between two windows of the analyzer nothing is forgotten
    assert site.see(5, None) == ["people off"]


def test_a_mute_wins_over_a_gain_and_of_gains_the_smallest() -> None:
    site = _Site(
        Rule(name="a", measure="level", above=-50, for_s=0, gain_db=-6),
        Rule(name="b", measure="level", above=-50, for_s=0, gain_db=-12),
        Rule(name="c", measure="level", above=-10, for_s=0, mute=True),
    )
    site.see(0.5, level=-40)
    decision = site.policy.decision(CHANNEL)
    assert (decision.mute, decision.gain_db, decision.rules) == (False, -12, ("a", "b"))
    site.see(0.5, level=-5)
    assert site.mute


def test_channels_that_a_rule_does_not_name_are_left_alone() -> None:
    site = _Site(HUM.model_copy(update={"channels": ("other:*",)}))
    assert site.see(60, hum=1.0) == []


def test_a_rule_that_acted_when_the_engine_ended_goes_on_and_is_held_anew() -> None:
    site = _Site(HUM)
    site.policy.resume(CHANNEL, ["hum", "gone"])
    assert site.mute
    assert site.see(9.5, hum=0.0) == []
    assert site.see(0.5, hum=0.0) == ["hum off"]


def test_a_channel_that_is_gone_is_forgotten() -> None:
    site = _Site(HUM)
    site.see(3, hum=1.0)
    assert site.policy.acting() == {CHANNEL: ["hum"]}
    site.policy.forget(CHANNEL)
    assert site.policy.acting() == {}
    assert not site.mute


@given(st.lists(st.floats(0, 1), max_size=200))
def test_whatever_is_measured_a_rule_comes_and_goes_in_turn_and_never_sooner_than_it_may(
    hums: list[float],
) -> None:
    site = _Site(HUM)
    changes: list[tuple[float, str]] = []
    for hum in hums:
        changes.extend((site.clock.now_s, said) for said in site.see(0.5, hum=hum))
    assert [said for _, said in changes] == (["hum on", "hum off"] * 100)[: len(changes)]
    for (began_s, said), (ended_s, _) in pairwise(changes):
        if said == "hum on":
            assert ended_s - began_s >= HUM.hold_s
        else:
            assert ended_s - began_s >= HUM.for_s
