"""What a rule may say, how it is told when it makes no sense, and which classes and channels it means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.clips.preroll import preroll_s, require_preroll
from tidzam_platform.clips.rules import RecorderRuleSpec
from tidzam_platform.clips.schedule import DAYS, Schedule
from tidzam_platform.errors import RuleError

CLASSES = st.sampled_from(["*", "unknown", "birds", "birds-robin", "no_signal", "human-speech"])
RULES = st.fixed_dictionaries(
    {
        "channels": st.lists(st.sampled_from(["*", "marsh:out_*", "pond:out_1"]), min_size=1),
        "classes": st.lists(CLASSES, min_size=1),
        "score": st.none() | st.tuples(st.floats(0, 0.5), st.floats(0.5, 1)),
        "uncertainty": st.none() | st.floats(0.01, 1),
        "disagreement": st.booleans(),
        "rate": st.just("auto") | st.floats(0, 1),
        "length_s": st.floats(0.5, 60),
        "object_filter": st.booleans(),
        "schedule": st.none()
        | st.builds(
            lambda days, zone: {"times": ["22:00-04:00"], "days": days, "zone": zone},
            st.lists(st.sampled_from(DAYS), min_size=1),
            st.sampled_from(["UTC", "Europe/Paris"]),
        ),
        "daily_quota": st.none() | st.integers(1, 1000),
        "cooldown_s": st.none() | st.floats(0, 1000),
        "distinct": st.floats(0, 2),
    }
)


@given(RULES)
def test_a_rule_that_was_kept_as_json_is_the_same_rule(request: dict[str, object]) -> None:
    rule = RecorderRuleSpec.parse(request)
    assert RecorderRuleSpec.parse(rule.as_dict()) == rule


def test_a_rule_is_read_as_people_write_it() -> None:
    rule = RecorderRuleSpec.parse(
        {
            "channels": "marsh:out_*, pond:out_1",
            "classes": "birds,unknown",
            "score": "0.3 to 0.6",
            "rate": "0.25",
        }
    )
    assert rule.channels == ("marsh:out_*", "pond:out_1")
    assert rule.classes == ("birds", "unknown")
    assert rule.score == (0.3, 0.6)
    assert rule.rate == 0.25
    assert rule.pause_s == rule.length_s == 3.0
    assert RecorderRuleSpec.parse({"rate": " auto "}).rate == "auto"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"rate": 1.5}, "no rate"),
        ({"rate": "often"}, "no rate"),
        ({"rate": True}, "no rate"),
        ({"score": "high"}, "0.3 to 0.6"),
        ({"score": "0.6 to 0.3"}, "lower end first"),
        ({"score": "0.3 to 1.3"}, "score"),
        ({"channels": "marsh"}, "marsh:out_"),
        ({"channels": "../x:out_1"}, "no pattern"),
        ({"classes": "Birds"}, "no class path"),
        ({"destination": "../../etc"}, "no path"),
        ({"destination": "a/b"}, "no path"),
        ({"length_s": 0.4}, "length_s"),
        ({"length_s": 61}, "length_s"),
        ({"length_s": float("nan")}, "length_s"),
        ({"lenght_s": 3}, "no such field"),
        ({"at_least": 5}, "rate auto"),
        ({"forbid": True, "rate": 0.5}, "leave out rate"),
        ({"forbid": True, "score": "0.2 to 0.8"}, "no upper end"),
        ({"schedule": {"times": "22:00-22:00"}}, "empty"),
        ({"schedule": {"times": "25:00-26:00"}}, "no span of time"),
        ({"schedule": {"zone": "Mars/Olympus"}}, "no time zone"),
        ({"schedule": {"days": ["someday"]}}, "days"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(request_: dict[str, object], said: str) -> None:
    with pytest.raises(RuleError, match=said):
        RecorderRuleSpec.parse(request_)


def test_everything_leaves_out_silence_unless_it_is_forbidden() -> None:
    everything = RecorderRuleSpec.parse({})
    assert everything.names_class("birds")
    assert everything.names_class("unknown")
    assert not everything.names_class("no_signal")
    assert not everything.names_class("no_signal-silence")
    assert RecorderRuleSpec.parse({"classes": "no_signal"}).names_class("no_signal-silence")
    assert RecorderRuleSpec.parse({"forbid": True}).names_class("no_signal")


def test_a_class_means_what_lies_below_it_and_no_name_that_begins_alike() -> None:
    birds = RecorderRuleSpec.parse({"classes": "birds"})
    assert birds.names_class("birds-robin")
    assert not birds.names_class("birds_of_prey")


def test_channels_match_as_a_whole_and_only_stars_and_question_marks_are_special() -> None:
    rule = RecorderRuleSpec.parse({"channels": "marsh:out_1,pond:out_?"})
    assert rule.concerns("marsh:out_1")
    assert not rule.concerns("marsh:out_12")
    assert rule.concerns("pond:out_3")
    assert not rule.concerns("pond:out_33")
    assert not rule.concerns("saltmarsh:out_1")


ZONES = ["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata"]
CLOCK = st.builds(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}", st.integers(0, 24 * 60 - 1))


@given(
    st.lists(st.tuples(CLOCK, CLOCK).filter(lambda span: span[0] != span[1]), max_size=3),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.sampled_from(ZONES),
    st.integers(0, 14 * 24 * 60),
)
def test_a_schedule_holds_in_the_spans_that_began_on_its_days(
    spans: list[tuple[str, str]], days: set[str], zone: str, minute: int
) -> None:
    schedule = Schedule(times=[f"{begin}-{end}" for begin, end in spans], days=sorted(days), zone=zone)
    moment = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(minutes=minute)
    local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    expected = False
    for back in (0, 1):  # spans that began today, or yesterday
        day = local.date() - timedelta(days=back)
        if DAYS[day.weekday()] not in days:
            continue
        for begin, end in spans or [("00:00", "24:00")]:
            first = datetime.fromisoformat(f"{day} {begin}")
            last = day if end > begin else day + timedelta(days=1)
            after = (
                datetime.fromisoformat(f"{day} 00:00") + timedelta(days=1)
                if end == "24:00"
                else datetime.fromisoformat(f"{last} {end}")
            )
            expected |= first <= local < after
    assert schedule.holds(moment) == expected


def test_a_span_may_end_with_the_day() -> None:
    evening = Schedule(times="22:00-24:00")
    assert evening.holds(datetime(2026, 6, 1, 23, 59, tzinfo=UTC))
    assert not evening.holds(datetime(2026, 6, 2, 0, 0, tzinfo=UTC))


def test_a_rule_that_needs_more_memory_than_there_is_is_refused() -> None:
    long = RecorderRuleSpec.parse({"length_s": 60, "channels": [f"marsh:out_{n}" for n in range(1, 101)]})
    require_preroll(long, 1024)
    with pytest.raises(RuleError, match="preroll_mb"):
        require_preroll(long, 500)
    assert preroll_s(RecorderRuleSpec.parse({"forbid": True})) == 0
