"""What windows are kept for, and which hold what must not be kept."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.keeping.matching import ForbidMatcher, Match, RuleBook, RuleMatcher
from streamer.analyzer.windows import WindowResult
from tests.streamer.analyzer.keeping.made import PATHS, rule, run, window


def match(result: WindowResult, *, canary_differs: bool = False, **spec: object) -> Match | None:
    return RuleMatcher(rule(**spec)).match(result, canary_differs=canary_differs)


def forbids(result: WindowResult, thresholds: dict[str, float] | None = None, **spec: object) -> bool:
    return ForbidMatcher(rule(forbid=True, **spec), thresholds or {}).hears(result)


def kept_for(result: WindowResult, **spec: object) -> str | None:
    found = match(result, **spec)
    return None if found is None else found.class_path


def test_a_window_is_kept_for_its_answer() -> None:
    assert match(window(0, "birds-robin", 0.9), classes="birds") == Match("birds-robin", 0.9)
    assert kept_for(window(0, "birds-robin"), classes="birds-crow,rain") is None
    assert kept_for(window(0, "unknown", 0.2), classes="*") == "unknown"
    assert kept_for(window(0, "unknown", 0.2), classes="birds") is None
    assert kept_for(window(0, "no_signal", 1.0), classes="*") is None
    assert kept_for(window(0, "no_signal", 1.0), classes="no_signal") == "no_signal"


def test_a_range_of_scores_is_of_the_class_that_is_named_whatever_the_answer_is() -> None:
    faint = window(0, "unknown", 0.5, scores={"birds": 0.5, "birds-robin": 0.45, "rain": 0.2})
    assert match(faint, classes="birds-robin", score="0.3 to 0.6") == Match(
        "birds-robin", pytest.approx(0.45)
    )
    assert kept_for(faint, classes="birds", score="0.3 to 0.6") == "birds"
    assert kept_for(faint, classes="rain", score="0.3 to 0.6") is None
    assert kept_for(window(0, "birds-robin", 0.9), classes="birds", score="0.3 to 0.6") is None
    assert kept_for(window(0, "birds-robin", 0.9), classes="birds", score="0.9 to 1") == "birds-robin"


def test_of_everything_the_range_is_the_answers() -> None:
    assert kept_for(window(0, "rain", 0.5, scores={"birds": 0.1}), score="0.3 to 0.6") == "rain"
    assert kept_for(window(0, "rain", 0.9, scores={"birds": 0.5}), score="0.3 to 0.6") is None
    assert kept_for(window(0, "unknown", 0.4), classes="unknown", score="0.3 to 0.6") == "unknown"


def test_where_it_is_too_quiet_scores_say_nothing() -> None:
    assert (
        kept_for(window(0, "no_signal", 1.0, scores={"rain": 0.5}), classes="rain", score="0.3 to 0.6")
        is None
    )


def test_uncertainty_is_the_lead_of_the_best_class_that_has_none_below() -> None:
    torn = window(0, "birds", 0.95, scores={"birds-robin": 0.5, "birds-crow": 0.44})
    assert kept_for(torn, uncertainty=0.1) == "birds"
    assert kept_for(torn, uncertainty=0.05) is None
    assert kept_for(window(0, "birds-robin", 0.9), uncertainty=0.5) is None


def test_disagreement_needs_a_canary_that_differs() -> None:
    assert kept_for(window(0), disagreement=True) is None
    assert kept_for(window(0), disagreement=True, canary_differs=True) == "birds-robin"


def test_what_is_forbidden_is_heard_as_answer_or_by_its_score() -> None:
    assert forbids(window(0, "human-speech"), classes="human")
    assert forbids(window(0, "birds-robin", scores={"human-speech": 0.31}), classes="human")
    assert not forbids(window(0, "birds-robin", scores={"human-speech": 0.29}), classes="human")
    assert forbids(window(0, "birds-robin", scores={"human-speech": 0.2}), classes="human", score="0.15 to 1")
    assert not forbids(
        window(0, "birds-robin", scores={"human-speech": 0.5}), classes="human", score="0.6 to 1"
    )
    assert not forbids(window(0, "birds-robin"), classes="human")


def test_a_threshold_below_what_is_usual_counts() -> None:
    faint = window(0, "birds-robin", scores={"human-speech": 0.12})
    assert forbids(faint, {"human-speech": 0.1}, classes="human")
    assert not forbids(faint, {"human-speech": 0.5}, classes="human")


def test_a_score_that_is_no_number_is_not_taken_for_low() -> None:
    assert forbids(window(0, "rain", scores={"human": float("nan")}), classes="human")


def test_everything_may_be_forbidden_for_some_hours() -> None:
    by_day = {"schedule": {"times": "08:00-18:00"}}
    assert forbids(window(0, "no_signal"), **by_day)
    assert not forbids(window(0, of=run(later_s=7 * 3600)), **by_day)  # 19:00
    assert window(0).key.start + timedelta(hours=7) == window(0, of=run(later_s=7 * 3600)).key.start


@given(st.lists(st.floats(0, 1, width=32), min_size=len(PATHS), max_size=len(PATHS)), st.sampled_from(PATHS))
def test_a_class_that_reaches_the_bound_is_never_missed(scores: list[float], forbidden: str) -> None:
    result = window(0, "rain", scores=dict(zip(PATHS, scores, strict=True)))
    heard = [path for path in PATHS if path == forbidden or path.startswith(forbidden + "-")]
    expected = (
        any(result.scores[PATHS.index(path)] >= np.float32(0.3) for path in heard) or forbidden == "rain"
    )
    assert forbids(result, classes=forbidden) == expected


def test_other_classes_of_another_generation_are_learned() -> None:
    matcher = RuleMatcher(rule(classes="frogs", score="0.3 to 0.6"))
    assert matcher.match(window(0, "unknown", 0.5), canary_differs=False) is None
    from dataclasses import replace

    other = replace(
        window(0, "unknown", 0.5), paths=("rain", "frogs"), scores=np.array([0.1, 0.5], np.float32)
    )
    assert matcher.match(other, canary_differs=False) == Match("frogs", 0.5)


def test_rules_are_found_by_channel() -> None:
    book = RuleBook([rule(1, channels="marsh:out_*"), rule(2, channels="pond:out_1"), rule(3, forbid=True)])
    assert [matcher.rule.id for matcher in book.of("marsh:out_7").keeping] == [1]
    assert [matcher.rule.id for matcher in book.of("pond:out_1").keeping] == [2]
    assert book.of("pond:out_2").keeping == ()
    assert [matcher.rule.id for matcher in book.of("lake:out_1").forbidding] == [3]


def test_where_the_generation_has_no_class_of_the_rule_each_window_counts_as_forbidden() -> None:
    assert forbids(window(0, "birds-robin"), classes="voices")
    assert forbids(window(0, "birds-robin"), classes="voices,speech")
    assert not forbids(window(0, "birds-robin"), classes="voices,human"), "the generation knows one of them"
    assert not forbids(window(0, "birds-robin"), classes="unknown"), "every generation may answer that"
    assert not forbids(window(0, "birds-robin"), classes="no_signal")
    at_night = {"times": "22:00-04:00", "zone": "UTC"}
    assert not forbids(window(0, "birds-robin"), classes="voices", schedule=at_night), "it is noon"
