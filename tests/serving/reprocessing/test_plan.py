"""Which recordings a range has, at its edges and in any zone, and what is missing in it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.reprocessing import plan
from tests.serving.reprocessing.conftest import SOURCE, Site
from tidzam_platform.detections.coverage import MissingAudio, days_of_zone, gaps_between
from tidzam_platform.errors import ArchiveError, QueryError

DAY = date(2026, 5, 1)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_both_days_are_included(site: Site) -> None:
    assert [item.start.day for item in plan(site.home, SOURCE, DAY, date(2026, 5, 2)).items] == [1, 1, 2]
    assert [item.start.day for item in plan(site.home, SOURCE, DAY, DAY).items] == [1, 1]
    assert not plan(site.home, SOURCE, date(2026, 4, 1), date(2026, 4, 30)).items


def test_days_of_a_zone_are_heard_as_whole_days_in_utc(site: Site) -> None:
    # 05:00 UTC is 22:00 of the day before in Los Angeles
    of_zone = plan(site.home, SOURCE, date(2026, 4, 30), date(2026, 4, 30), "America/Los_Angeles")
    assert of_zone.begin == datetime(2026, 4, 30, 7, tzinfo=UTC)
    assert of_zone.end == datetime(2026, 5, 1, 7, tzinfo=UTC)
    assert of_zone.days == (date(2026, 4, 30), date(2026, 5, 1))
    assert [item.start.day for item in of_zone.items] == [1, 1]
    assert [(one.start, one.end) for one in of_zone.missing] == [
        (of_zone.begin, datetime(2026, 5, 1, 5, tzinfo=UTC)),
        (datetime(2026, 5, 1, 5, 0, 40, tzinfo=UTC), of_zone.end),
    ]


def test_a_day_of_the_clock_change_has_23_or_25_hours() -> None:
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    begin, end = days_of_zone(spring, spring, "Europe/Paris")
    assert end - begin == timedelta(hours=23)
    begin, end = days_of_zone(autumn, autumn, "Europe/Paris")
    assert end - begin == timedelta(hours=25)


def test_a_day_whose_midnight_the_clock_jumps_over_begins_at_the_jump() -> None:
    begin, end = days_of_zone(date(2026, 4, 24), date(2026, 4, 24), "Africa/Cairo")  # 00:00 becomes 01:00
    assert begin == datetime(2026, 4, 23, 22, tzinfo=UTC)
    assert end - begin == timedelta(hours=23)


def test_ranges_that_make_no_sense_are_refused(site: Site) -> None:
    with pytest.raises(QueryError, match="exchange them"):
        plan(site.home, SOURCE, date(2026, 5, 2), DAY)
    with pytest.raises(ArchiveError, match="no source 'nowhere'"):
        plan(site.home, "nowhere", DAY, DAY)
    with pytest.raises(ArchiveError, match="no time zone"):
        days_of_zone(DAY, DAY, "nowhere")
    with pytest.raises(ArchiveError, match="last day"):
        days_of_zone(DAY, date.max, "UTC")


def test_what_is_still_to_come_is_not_missing(site: Site) -> None:
    future = date(2200, 1, 1)
    assert not plan(site.home, SOURCE, future, future).missing


spans = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 40)), max_size=12)


@given(spans, st.integers(0, 60), st.integers(1, 60))
def test_each_second_is_covered_or_in_one_gap(
    lengths: list[tuple[int, int]], first: int, length: int
) -> None:
    covered = [(_at(start), _at(start + seconds)) for start, seconds in lengths]
    begin, end = _at(first), _at(first + length)
    gaps = list(gaps_between(covered, begin, end, tolerance_s=0))
    for second in range(first, first + length):
        moment = _at(second) + timedelta(milliseconds=500)
        is_covered = any(start <= moment < until for start, until in covered)
        in_gaps = sum(one.end is not None and one.start <= moment < one.end for one in gaps)
        assert in_gaps == (not is_covered)
    assert sum(one.seconds or 0 for one in gaps) <= length


def test_a_gap_within_the_tolerance_is_none() -> None:
    covered = [(_at(0), _at(10)), (_at(12), _at(20))]
    assert not list(gaps_between(covered, _at(0), _at(20), tolerance_s=2.0))
    (gap,) = gaps_between(covered, _at(0), _at(20), tolerance_s=1.9)
    assert gap == MissingAudio("gap", _at(10), _at(12))


def _at(second: int) -> datetime:
    return NOON + timedelta(seconds=second)
