"""Time: aware UTC, ISO 8601 at the edges."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.clock import format_utc, parse_utc, utc_now
from tidzam_platform.errors import TidzamError

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES)  # noqa: DTZ001 - bounds


@given(MOMENTS)
def test_a_time_survives_writing_and_reading_to_the_millisecond(moment: datetime) -> None:
    read = parse_utc(format_utc(moment))
    assert read.tzinfo is UTC
    assert timedelta(0) <= moment - read < timedelta(milliseconds=1)


@given(MOMENTS)
def test_the_written_form_says_that_it_is_utc(moment: datetime) -> None:
    assert format_utc(moment).endswith("Z")
    assert len(format_utc(moment)) == len("2026-04-01T05:00:00.000Z")


def test_an_offset_is_understood() -> None:
    assert parse_utc("2026-04-01T05:00:00+02:00") == datetime(2026, 4, 1, 3, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused_both_ways() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        format_utc(datetime(2026, 4, 1))  # noqa: DTZ001
    with pytest.raises(TidzamError, match="add Z"):
        parse_utc("2026-04-01T05:00:00")


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_typed_error(text: str) -> None:
    with contextlib.suppress(TidzamError):
        assert parse_utc(text).tzinfo is UTC


def test_the_present_is_aware() -> None:
    assert utc_now().utcoffset() == timedelta(0)
