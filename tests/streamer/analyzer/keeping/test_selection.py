"""Which windows are chosen: pauses, quotas, draws, schedule, near-duplicates; and what years of it come to."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.keeping.matching import RuleBook
from streamer.analyzer.keeping.near_duplicates import NearDuplicates
from streamer.analyzer.keeping.selection import Chosen, Selector
from streamer.analyzer.windows import WindowResult
from tests.streamer.analyzer.keeping.made import rule, run, window
from tidzam_platform.clips.rules_store import StoredRule


class Recorder:
    """A selector with its rules."""

    def __init__(self, *rules: StoredRule, seed: int = 1) -> None:
        self.ledger = Ledger()
        self.selector = Selector(self.ledger, NearDuplicates(), random.Random(seed))  # noqa: S311 - no secret
        self.book = RuleBook(rules)

    def take(self, result: WindowResult) -> Chosen | None:
        return self.selector.choose(result, self.book.of(result.key.channel))

    def keep(self, result: WindowResult) -> bool:
        """Choose it, and keep what is chosen."""
        chosen = self.take(result)
        if chosen is not None:
            self.selector.keep(chosen)
            self.ledger.record(chosen.match.class_path, chosen.rule.id)
        return chosen is not None


def test_a_channel_pauses_for_the_length_of_a_clip_after_each() -> None:
    recorder = Recorder(rule(classes="birds", length_s=2))
    kept = [number for number in range(20) if recorder.take(window(number))]
    assert kept == [0, 4, 8, 12, 16]  # windows begin every 0.5 s
    assert recorder.take(window(1, channel=2)) is not None  # another channel does not


def test_the_pause_may_be_said_and_each_rule_has_its_own() -> None:
    recorder = Recorder(rule(1, classes="birds", cooldown_s=0), rule(2, classes="rain", cooldown_s=5))
    chosen = [recorder.take(window(number, "birds-robin" if number % 2 else "rain")) for number in range(20)]
    assert [number for number, one in enumerate(chosen) if one and one.rule.id == 1] == list(range(1, 20, 2))
    assert [number for number, one in enumerate(chosen) if one and one.rule.id == 2] == [0, 10]


def test_a_clip_that_is_given_up_ends_its_pause() -> None:
    recorder = Recorder(rule(classes="birds"))
    chosen = recorder.take(window(0))
    assert chosen is not None
    recorder.selector.give_up(chosen)
    assert recorder.take(window(1)) is not None
    assert recorder.ledger.classes() == {"birds-robin": 1}


def test_windows_that_come_late_pause_too_and_an_archive_that_is_played_from_long_before_does_not() -> None:
    recorder = Recorder(rule(classes="birds", cooldown_s=1000))
    assert recorder.take(window(0, of=run(later_s=3600))) is not None
    assert recorder.take(window(0, of=run(later_s=4599))) is None
    assert recorder.take(window(0, of=run(later_s=2601))) is None
    assert recorder.take(window(0, of=run(later_s=60))) is not None


def test_a_window_gives_one_clip_of_the_oldest_rule_that_takes_it() -> None:
    recorder = Recorder(rule(1, classes="rain"), rule(2, classes="birds"), rule(3))
    chosen = recorder.take(window(0))
    assert chosen is not None
    assert chosen.rule.id == 2


def test_quotas_hold() -> None:
    recorder = Recorder(
        rule(1, classes="birds", cooldown_s=0, daily_quota=3),
        rule(2, classes="rain", total_quota=2, cooldown_s=0),
    )
    assert sum(recorder.keep(window(number)) for number in range(10)) == 3
    assert sum(recorder.keep(window(number, "rain")) for number in range(10)) == 2


def test_the_schedule_is_by_the_time_of_the_audio() -> None:
    recorder = Recorder(rule(schedule={"times": "22:00-04:00"}, cooldown_s=0))
    assert recorder.take(window(0)) is None
    assert recorder.take(window(0, of=run(later_s=11 * 3600))) is not None


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_a_rate_is_the_share_that_is_kept(rate: float) -> None:
    recorder = Recorder(rule(rate=rate, cooldown_s=0))
    kept = sum(recorder.take(window(number)) is not None for number in range(5000))
    assert kept == pytest.approx(5000 * rate, abs=150 * rate)


def test_unknown_and_what_was_never_kept_are_always_kept_by_auto() -> None:
    recorder = Recorder(rule(rate="auto", cooldown_s=0))
    assert sum(recorder.keep(window(number, "unknown", 0.2)) for number in range(50)) == 50
    assert [recorder.keep(window(number, "rain")) for number in range(5)] == [True] + [False] * 4
    assert recorder.keep(window(9, "human")) is True


def test_channels_that_hear_one_rare_sound_together_do_not_all_keep_it() -> None:
    recorder = Recorder(rule(classes="birds", rate="auto"))
    assert sum(recorder.take(window(0, channel=channel)) is not None for channel in range(1, 50)) == 1


def test_a_sound_like_one_that_was_kept_is_skipped() -> None:
    recorder = Recorder(rule(classes="birds", distinct=0.1, cooldown_s=0))
    here, near, far = (np.array(one, np.float32) for one in ((1, 0), (1, 0.1), (0, 1)))
    assert recorder.keep(window(0, embedding=here))
    assert not recorder.keep(window(1, embedding=near))
    assert recorder.keep(window(2, embedding=far))
    assert recorder.keep(window(3, embedding=near, channel=2))
    assert recorder.keep(window(4))  # nobody knows what it is like


DAYS = 1000


def days(recorder: Recorder, supplies: dict[str, float], seed: int) -> tuple[Counter[str], Counter[str]]:
    """What is heard, and what is kept of it, in 1000 days; supplies are windows a day on average."""
    draws = np.random.default_rng(seed)
    names = list(supplies)
    heard, kept = Counter[str](), Counter[str]()
    for day in range(DAYS):
        today = [name for name in names for _ in range(draws.poisson(supplies[name]))]
        of = run(later_s=day * 86_400)
        for at, index in enumerate(draws.permutation(len(today))):
            name = today[index]
            heard[name] += 1
            kept[name] += recorder.keep(window(20 * at, name, of=of))
    return heard, kept


def spread(kept: Counter[str], names: list[str]) -> float:
    counts = [kept[name] for name in names]
    return (max(counts) - min(counts)) / max(counts)


SUPPLIES = {"rain": 40.0, "birds-robin": 12.0, "birds-crow": 3.0, "human-speech": 0.4, "human": 0.05}


def flat(supplies: dict[str, float]) -> dict[str, float]:
    """All of them siblings."""
    return {name.replace("-", "_"): number for name, number in supplies.items()}


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32), st.integers(20, 300), st.lists(st.floats(0.01, 10), min_size=3, max_size=6))
def test_after_1000_days_classes_that_were_heard_often_enough_are_balanced(
    seed: int, at_least: int, a_day: list[float]
) -> None:
    """The rule ``auto`` with ``at_least``, read as it is written.

    Of all classes that were heard (that is their supply) at least as often as the class with the most clips has clips,
    the one with the fewest clips has at most a tenth fewer.
    """
    supplies = {f"class_{number}": supply for number, supply in enumerate(a_day)}
    heard, kept = days(Recorder(rule(rate="auto", at_least=at_least), seed=seed % 1000), supplies, seed)
    most = max(kept.values())
    reached = [name for name in supplies if heard[name] >= most]
    assert reached
    assert spread(kept, reached) <= 0.1
    assert all(kept[name] == min(heard[name], at_least) for name in supplies)


def test_the_originals_rule_alone_keeps_one_clip_of_each_class() -> None:
    """Why one wants ``at_least``, or a second rule with a number: the most common class has the rate 0."""
    heard, kept = days(Recorder(rule(rate="auto")), {"rain": 5.0, "wind": 1.0, "human": 0.05}, 1)
    assert min(heard.values()) > 10
    assert set(kept.values()) == {1}


def test_beside_a_rule_with_a_number_it_grows_and_stays_balanced() -> None:
    """The same with growth: the second rule adds to the most common class, ``auto`` draws the others after it.

    ``auto`` keeps a class as many short as it must be rare to be drawn fast enough, so a class can follow closely only
    if it is heard much more often than the largest grows: here, at least 20 windows for each clip of the largest.
    """
    recorder = Recorder(rule(1, rate="auto", at_least=50), rule(2, rate=0.002))
    heard, kept = days(recorder, flat(SUPPLIES), 2)
    most = max(kept.values())
    assert most > 90
    reached = [name for name in kept if heard[name] >= 20 * most]
    assert len(reached) >= 3
    assert spread(kept, reached) <= 0.1
    rare = "human"
    assert kept[rare] == heard[rare] < 90
