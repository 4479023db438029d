"""Quiet hours: by the clock on the wall of a zone, over midnight, and when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.alerts.quiet_hours import QuietHours
from tidzam_platform.errors import RuleError

MINUTES = 24 * 60


def at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@given(
    begin=st.integers(0, MINUTES - 1),
    length=st.integers(1, MINUTES - 1),
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - a wall's clock
)
def test_a_span_covers_the_minutes_that_a_clock_shows_from_its_beginning_on(
    begin: int, length: int, moment: datetime
) -> None:
    end = (begin + length) % MINUTES
    text = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    minute = moment.hour * 60 + moment.minute
    assert QuietHours.parse([text], "UTC").cover(moment.replace(tzinfo=UTC)) == (
        (minute - begin) % MINUTES < length
    )


def test_several_spans_and_the_whole_day() -> None:
    hours = QuietHours.parse(["22:00-06:00", "12:30-13:00"], "UTC")
    covered = [hour for hour in range(24) if hours.cover(datetime(2026, 4, 1, hour, 45, tzinfo=UTC))]
    assert covered == [0, 1, 2, 3, 4, 5, 12, 22, 23]
    day = QuietHours.parse(["00:00-24:00"], "UTC")
    assert all(day.cover(datetime(2026, 4, 1, hour, tzinfo=UTC)) for hour in range(24))
    assert not QuietHours.parse([], "UTC").cover(datetime(2026, 4, 1, tzinfo=UTC))


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_when_clocks_change_the_wall_counts(day: str) -> None:
    hours = QuietHours.parse(["22:00-06:00"], "Europe/Paris")
    begin = at(f"{day}T00:00", "Europe/Paris").astimezone(UTC)
    for minutes in range(0, 26 * 60, 15):
        moment = begin + timedelta(minutes=minutes)
        hour = moment.astimezone(ZoneInfo("Europe/Paris")).hour
        assert hours.cover(moment) == (hour < 6 or hour >= 22), moment


@pytest.mark.parametrize(
    "span", ["22-6", "24:00-06:00", "22:00-24:01", "10:00-10:00", "9:00-10:00", "22:60-23:00", ""]
)
def test_what_is_no_span_is_said(span: str) -> None:
    with pytest.raises(RuleError, match="no span of the day"):
        QuietHours.parse([span], "UTC")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "", "/etc/localtime"])
def test_what_is_no_zone_is_said(zone: str) -> None:
    with pytest.raises(RuleError, match="no time zone"):
        QuietHours.parse(["22:00-06:00"], zone)
