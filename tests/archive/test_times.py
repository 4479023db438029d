"""When recordings began, where the clock showed a time twice or never."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from tidzam_platform.archive.times import Start, WallClockStart, evidence_of, overlaps_touched, starts_of

PARIS = ZoneInfo("Europe/Paris")
BACK = datetime(2026, 10, 25, 1, tzinfo=UTC)  # 03:00 summer time becomes 02:00 winter time
NO_MTIME_S = 0.0  # 1970: says nothing, as the time of a copy does


def _file(utc: datetime, seconds: float | None, mtime_s: float = NO_MTIME_S) -> WallClockStart:
    """What a recorder in Paris that began at ``utc`` leaves."""
    return WallClockStart(utc.astimezone(PARIS).replace(tzinfo=None, fold=0, microsecond=0), seconds, mtime_s)


def _named(clock: str, seconds: float | None = 600.0, mtime_s: float = NO_MTIME_S) -> WallClockStart:
    return WallClockStart(datetime.fromisoformat(f"2026-10-25 {clock}"), seconds, mtime_s)


def _utc(files: Sequence[WallClockStart]) -> list[str]:
    return [f"{start.utc:%H:%M:%S}" for start in starts_of(files, PARIS)]


def test_a_lone_file_of_the_hour_that_came_twice_is_taken_as_the_first_and_says_so() -> None:
    (start,) = starts_of([_named("02:30:00")], PARIS)
    assert start.utc == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert start.warning == "02:30:00 on 2026-10-25 came twice in Europe/Paris: taken as the first"


def test_a_file_that_would_begin_while_another_ran_began_after_the_clock_went_back() -> None:
    files = [_named("02:00:03"), _named("02:00:07"), _named("02:10:03"), _named("02:10:07")]
    assert _utc(files) == ["00:00:03", "01:00:07", "00:10:03", "01:10:07"]
    warnings = [start.warning or "" for start in starts_of(files, PARIS)]
    assert ["second" in warning for warning in warnings] == [False, True, False, True]


def test_a_file_from_before_the_hour_may_be_the_one_that_ran() -> None:
    assert _utc([_named("01:30:00", 90 * 60.0), _named("02:00:00")]) == ["23:30:00", "01:00:00"]


def test_files_that_follow_each_other_do_not_count_as_running_at_once() -> None:
    seconds = 600.9  # names are cut to the second
    assert _utc([_named("02:00:00", seconds), _named("02:10:00", seconds)]) == ["00:00:00", "00:10:00"]


def test_a_file_that_joins_one_whose_time_is_known_needs_no_guess() -> None:
    before, after = _named("01:50:00"), _named("03:00:00")
    for files, hour in (([before, _named("02:00:00")], 0), ([_named("02:50:00"), after], 1)):
        start = next(start for start in starts_of(files, PARIS) if start.utc.hour in {0, 1})
        assert (start.utc.hour, start.warning) == (hour, None)


def test_a_file_that_would_join_at_both_moments_is_a_guess() -> None:
    hour = 3600.0
    _, start, _ = starts_of([_named("01:00:00", hour), _named("02:00:00", hour), _named("03:00:00")], PARIS)
    assert start.utc.hour == 0
    assert start.warning is not None


def test_the_time_of_the_last_write_tells_the_two_apart() -> None:
    first_end_s = datetime(2026, 10, 25, 0, 40, tzinfo=UTC).timestamp()
    for late_s in (-2.0, 0.0, 45.0):
        (start,) = starts_of([_named("02:30:00", mtime_s=first_end_s + late_s)], PARIS)
        assert (start.utc.hour, start.warning) == (0, None)
        (start,) = starts_of([_named("02:30:00", mtime_s=first_end_s + 3600 + late_s)], PARIS)
        assert (start.utc.hour, start.warning) == (1, None)


def test_a_file_of_unknown_length_is_taken_as_the_first() -> None:
    mtime_s = datetime(2026, 10, 25, 1, 30, tzinfo=UTC).timestamp()
    (start,) = starts_of([_named("02:30:00", None, mtime_s)], PARIS)
    assert start.utc.hour == 0


def test_the_same_recording_in_two_containers_begins_once() -> None:
    assert _utc([_named("02:00:03"), _named("02:00:03"), _named("02:00:07")]) == [
        "00:00:03",
        "00:00:03",
        "01:00:07",
    ]


def test_a_file_named_by_a_skipped_time_is_shifted_and_says_so() -> None:
    (start,) = starts_of(
        [WallClockStart(datetime.fromisoformat("2026-03-29 02:30:00"), 60.0, NO_MTIME_S)], PARIS
    )
    assert start.utc == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert start.warning is not None
    assert "02:30:00 on 2026-03-29 never was in Europe/Paris: taken as 03:30:00" in start.warning


@given(
    begin_s=st.integers(-3 * 3600, -3601),
    lengths=st.lists(st.integers(61, 3500), min_size=1, max_size=25),
    keeps_mtime=st.booleans(),
)
def test_an_unbroken_recording_over_the_jump_is_put_in_order_without_a_guess(
    begin_s: int, lengths: list[int], keeps_mtime: bool
) -> None:
    recorded = []
    begin = BACK + timedelta(seconds=begin_s)
    for seconds in (10, *lengths):  # the first file begins before the hour that came twice
        mtime_s = begin.timestamp() + seconds + 1 if keeps_mtime else NO_MTIME_S
        recorded.append((_file(begin, float(seconds), mtime_s), begin))
        begin += timedelta(seconds=seconds)
    recorded.sort(key=lambda pair: pair[0].local_time)
    names = [file.local_time for file, _ in recorded]
    assume(len(set(names)) == len(names))  # else one file would have been written over the other
    assert starts_of([file for file, _ in recorded], PARIS) == [Start(begun, None) for _, begun in recorded]


def test_days_beside_a_jump_are_found_and_others_cost_nothing() -> None:
    jump = date(2026, 10, 25)
    assert overlaps_touched(jump, PARIS) == [jump]
    assert overlaps_touched(jump - timedelta(days=1), PARIS) == [jump]
    assert overlaps_touched(jump + timedelta(days=1), PARIS) == [jump]
    assert overlaps_touched(date(2026, 3, 29), PARIS) == []  # the clock went forward
    assert overlaps_touched(date(2026, 7, 1), PARIS) == []
    assert overlaps_touched(jump, ZoneInfo("UTC")) == []


def test_the_evidence_covers_the_hour_that_came_twice_and_the_days_before() -> None:
    begin, end = evidence_of(date(2026, 10, 25), PARIS)
    assert begin <= BACK - timedelta(days=2)
    assert end >= BACK + timedelta(hours=1)
