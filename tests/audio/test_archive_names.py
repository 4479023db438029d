"""Names of archive files, and the moments that they mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_names import SOURCES
from tidzam_platform.audio.archive_names import (
    EXTENSIONS,
    MAX_YEAR,
    MIN_YEAR,
    format_archive_name,
    looks_like_recording,
    moments_of,
    parse_archive_name,
    time_zone,
)
from tidzam_platform.errors import ArchiveError, InvalidNameError

LOCAL_TIMES = st.datetimes(datetime(MIN_YEAR, 1, 1), datetime(MAX_YEAR, 12, 31, 23, 59, 59))  # noqa: DTZ001
PARIS = ZoneInfo("Europe/Paris")
ZONES = ["Europe/Paris", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Beirut"]


def _wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


@given(SOURCES, LOCAL_TIMES, st.sampled_from(EXTENSIONS))
def test_a_name_that_is_written_is_read_back(source: str, local_time: datetime, extension: str) -> None:
    name = format_archive_name(source, local_time, extension)
    read = parse_archive_name(name)
    assert (read.database, read.extension) == (source, extension)
    assert read.local_time == local_time.replace(microsecond=0)
    assert str(read) == name


@given(
    st.text(max_size=60)
    | st.from_regex(r"[a-z-]{1,9}-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d\.(opus|wav)", fullmatch=True)
)
def test_any_text_is_a_name_or_a_typed_error(text: str) -> None:
    try:
        name = parse_archive_name(text)
    except ArchiveError:
        return
    assert str(name) == text
    assert looks_like_recording(text)


def test_databases_may_hold_dashes_and_what_looks_like_a_date() -> None:
    name = parse_archive_name("north-marsh-2025-01-01-00-00-00-2026-04-01-05-00-00.opus")
    assert name.database == "north-marsh-2025-01-01-00-00-00"
    assert name.local_time == _wall("2026-04-01 05:00:00")


@pytest.mark.parametrize(
    "name",
    [
        "marsh-2026-04-01-05-00-00.mp3",
        "marsh-2026-04-01-05-00-00.OPUS",
        "marsh-2026-04-01-05-00-00.opus.part",
        "marsh-2026-04-01-05-00-00.opus\n",
        "marsh-2026-04-01-05-00.opus",
        "marsh-26-04-01-05-00-00.opus",
        "marsh_2026-04-01-05-00-00.opus",
        "-2026-04-01-05-00-00.opus",
        "2026-04-01-05-00-00.opus",
        "marsh-2026-04-01-05-00-٠٠.opus",
        "",
    ],
)
def test_other_patterns_are_refused(name: str) -> None:
    assert not looks_like_recording(name)
    with pytest.raises(ArchiveError, match="YYYY-MM-DD-HH-MM-SS"):
        parse_archive_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("marsh-2026-02-30-05-00-00.opus", "day"),
        ("marsh-2026-13-01-05-00-00.opus", "month"),
        ("marsh-2026-04-01-24-00-00.opus", "hour"),
        ("marsh-2026-04-01-23-59-60.opus", "second"),
        ("marsh-0000-04-01-05-00-00.opus", "year"),
        ("marsh-1899-04-01-05-00-00.opus", "year"),
        ("ma rsh-2026-04-01-05-00-00.opus", "source"),
        (f"{'m' * 65}-2026-04-01-05-00-00.opus", "source"),
    ],
)
def test_impossible_dates_and_sources_are_refused_with_the_reason(name: str, reason: str) -> None:
    assert looks_like_recording(name)
    with pytest.raises(ArchiveError, match=reason):
        parse_archive_name(name)


def test_what_cannot_be_a_name_is_not_written() -> None:
    with pytest.raises(InvalidNameError):
        format_archive_name("ma rsh", _wall("2026-04-01 05:00:00"), "opus")
    with pytest.raises(ArchiveError, match="extension"):
        format_archive_name("marsh", _wall("2026-04-01 05:00:00"), "mp3")
    with pytest.raises(ArchiveError, match="zone"):
        format_archive_name("marsh", datetime(2026, 4, 1, 5, tzinfo=UTC), "opus")
    with pytest.raises(ArchiveError, match="year"):
        format_archive_name("marsh", _wall("0999-04-01 05:00:00"), "opus")


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("UTC", "2026-04-01 05:00:00", "2026-04-01 05:00:00"),
        ("Europe/Paris", "2026-01-15 12:00:00", "2026-01-15 11:00:00"),
        ("Europe/Paris", "2026-07-15 12:00:00", "2026-07-15 10:00:00"),
        ("America/New_York", "2026-07-15 12:00:00", "2026-07-15 16:00:00"),
        ("Asia/Kathmandu", "2026-07-15 12:00:00", "2026-07-15 06:15:00"),
        ("Pacific/Auckland", "2026-01-01 00:30:00", "2025-12-31 11:30:00"),
    ],
)
def test_an_ordinary_time_means_one_moment(zone: str, local: str, utc: str) -> None:
    moments = moments_of(_wall(local), time_zone(zone))
    assert moments.first == moments.second == _wall(utc).replace(tzinfo=UTC)
    assert not moments.missing
    assert not moments.ambiguous


def test_a_time_that_the_clock_went_back_over_means_two_moments() -> None:
    moments = moments_of(_wall("2026-10-25 02:30:00"), PARIS)
    assert moments.first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert moments.second == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert moments.ambiguous
    assert not moments.missing


def test_a_time_that_the_clock_went_forward_over_is_shifted_by_the_jump() -> None:
    moments = moments_of(_wall("2026-03-29 02:30:00"), PARIS)
    assert moments.missing
    assert not moments.ambiguous
    assert moments.first == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert moments.first.astimezone(PARIS).replace(tzinfo=None) == _wall("2026-03-29 03:30:00")


@pytest.mark.parametrize(
    ("local", "ambiguous", "missing"),
    [
        ("2026-10-25 01:59:59", False, False),
        ("2026-10-25 02:00:00", True, False),
        ("2026-10-25 02:59:59", True, False),
        ("2026-10-25 03:00:00", False, False),
        ("2026-03-29 01:59:59", False, False),
        ("2026-03-29 02:00:00", False, True),
        ("2026-03-29 02:59:59", False, True),
        ("2026-03-29 03:00:00", False, False),
    ],
)
def test_the_edges_of_both_jumps_are_exact(local: str, ambiguous: bool, missing: bool) -> None:
    moments = moments_of(_wall(local), PARIS)
    assert (moments.ambiguous, moments.missing) == (ambiguous, missing)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2036, 1, 1)), st.sampled_from(ZONES))  # noqa: DTZ001
def test_each_moment_shows_the_time_of_the_name_unless_skipped(local_time: datetime, zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    moments = moments_of(local_time, zone)
    assert moments.first <= moments.second <= moments.first + timedelta(hours=1)
    both = (moments.first, moments.second)
    shown = {moment.astimezone(zone).replace(tzinfo=None, fold=0) for moment in both}
    assert (shown == {local_time}) != moments.missing


@pytest.mark.parametrize(
    "name", ["", "Paris", "Europe", "europe/paris", "../../etc/passwd", "/etc", "+02:00"]
)
def test_a_zone_that_is_none_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(ArchiveError, match="Europe/Paris"):
        time_zone(name)
