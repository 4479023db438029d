"""Recordings that say themselves when they began."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.made import counts, index, rows
from tests.support.parts import require_part
from tidzam_platform.archive.exact_start import START_TAG, exact_start, fits_name, format_ns, parse_ns
from tidzam_platform.archive.times import Start, WallClockStart, starts_of
from tidzam_platform.audio import write_audio
from tidzam_platform.catalog import Catalog

PARIS = ZoneInfo("Europe/Paris")


def _record(folder: Path, name: str, start: str | None, seed: int = 1) -> Path:
    require_part("ffmpeg")
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, (1, 48_000))
    write_audio(folder / name, noise, 48_000, tags={} if start is None else {START_TAG: start})
    return folder / name


@given(st.integers(0, 7 * 10**18))
def test_nanoseconds_are_written_and_read_back(utc_ns: int) -> None:
    assert parse_ns(format_ns(utc_ns)) == utc_ns
    start = exact_start({START_TAG.lower(): format_ns(utc_ns)})
    assert start is not None
    assert start - datetime(1970, 1, 1, tzinfo=UTC) == timedelta(microseconds=utc_ns // 1000)


@given(st.text())
def test_what_is_no_moment_is_none(text: str) -> None:
    assert parse_ns(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30T00:00:00.000000000Z",
        "2026-04-01T05:00:00.000Z",
        "2026-04-01T05:00:00.000000000",
        "٢٠٢٦-04-01T05:00:00.000000000Z",
    ],
)
def test_what_looks_like_a_moment_and_is_none_is_none(text: str) -> None:
    assert parse_ns(text) is None


@given(
    moment=st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - a zone comes next
    zone=st.sampled_from(
        ["UTC", "Europe/Paris", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu"]
    ),
    late_s=st.integers(0, 60),
)
def test_a_start_fits_the_name_that_a_clock_of_any_zone_gave_it(
    moment: datetime, zone: str, late_s: int
) -> None:
    start = moment.replace(tzinfo=UTC)
    named = (start + timedelta(seconds=late_s)).astimezone(ZoneInfo(zone)).replace(tzinfo=None, microsecond=0)
    assert fits_name(start, named)
    assert not fits_name(start, named + timedelta(days=2))


def test_the_index_takes_the_start_from_the_file_and_the_end_follows(
    catalog: Catalog, tmp_path: Path
) -> None:
    name = "marsh-2026-04-01-05-00-00.opus"
    _record(tmp_path / "archive", name, "2026-04-01T05:00:00.123456789Z")
    assert counts(index(catalog, tmp_path / "archive")) == {"recordings": 1, "added": 1}
    row = rows(catalog)[name]
    assert row.start == datetime(2026, 4, 1, 5, 0, 0, 123456, tzinfo=UTC)
    assert row.end == row.start + timedelta(seconds=1)
    assert row.warning is None


def test_it_needs_no_zone_and_does_not_move_when_another_one_is_declared(
    catalog: Catalog, tmp_path: Path
) -> None:
    exact, named = "marsh-2026-04-01-05-00-00.opus", "marsh-2026-04-01-06-00-00.opus"
    _record(tmp_path / "archive", exact, "2026-04-01T03:00:00.500000000Z")
    _record(tmp_path / "archive", named, None, seed=2)
    index(catalog, tmp_path / "archive")
    began = rows(catalog)[exact].start
    assert began == datetime(2026, 4, 1, 3, 0, 0, 500_000, tzinfo=UTC)
    index(catalog, tmp_path / "archive", time_zone="Europe/Paris", rezone=True)
    assert rows(catalog)[exact].start == began
    assert rows(catalog)[named].start == datetime(2026, 4, 1, 4, tzinfo=UTC)


def test_who_renames_a_recording_to_another_day_means_the_name_and_is_told(
    catalog: Catalog, tmp_path: Path
) -> None:
    name = "marsh-2027-04-01-05-00-00.opus"
    _record(tmp_path / "archive", name, "2026-04-01T05:00:00.000000000Z")
    report = index(catalog, tmp_path / "archive")
    row = rows(catalog)[name]
    assert row.start == datetime(2027, 4, 1, 5, tzinfo=UTC)
    assert row.warning == "its tag says 2026-04-01 05:00:00 UTC, its name another day: the name counts"
    assert list(report.warnings) == [f"{tmp_path / 'archive' / name}: {row.warning}"]


def test_the_same_bytes_in_another_place_keep_their_start_without_being_opened(
    catalog: Catalog, tmp_path: Path
) -> None:
    name = "marsh-2026-04-01-05-00-00.opus"
    path = _record(tmp_path / "archive", name, "2026-04-01T05:00:00.250000000Z")
    index(catalog, tmp_path / "archive")
    moved = tmp_path / "archive" / "old" / name
    moved.parent.mkdir()
    path.rename(moved)
    assert counts(index(catalog, tmp_path / "archive")) == {"recordings": 1, "moved": 1}
    assert rows(catalog)[name].start == datetime(2026, 4, 1, 5, 0, 0, 250_000, tzinfo=UTC)


def test_an_hour_that_came_twice_is_no_doubt_and_helps_others() -> None:
    half_past_two = datetime.fromisoformat("2026-10-25 02:30:00")
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    before = WallClockStart(half_past_two - timedelta(minutes=10), 600.0, 0.0)
    exact = WallClockStart(half_past_two, 600.0, 0.0, second + timedelta(milliseconds=250))
    copy = WallClockStart(half_past_two, 600.0, 0.0)
    assert starts_of([before, exact, copy], PARIS) == [
        Start(second - timedelta(minutes=10), None),
        Start(second + timedelta(milliseconds=250), None),
        Start(second, None),
    ]


def test_both_hours_that_came_twice_may_be_there(catalog: Catalog, tmp_path: Path) -> None:
    _record(tmp_path / "archive", "marsh-2026-10-25-02-00-00.opus", "2026-10-25T00:00:00.000000000Z", seed=1)
    _record(tmp_path / "archive", "marsh-2026-10-25-02-00-01.opus", "2026-10-25T01:00:00.000000000Z", seed=2)
    report = index(catalog, tmp_path / "archive", time_zone="Europe/Paris")
    assert [row.start for _, row in sorted(rows(catalog).items())] == [
        datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in (0, 1)
    ]
    assert report.warnings.count == 0
    assert report.days == (date(2026, 10, 25),)
