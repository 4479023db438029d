"""What ``bench live`` tells: each figure from where it says, and what counts as dropped. Nothing here is timed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.benchmarks import live as live_module
from streamer.analyzer.benchmarks.engine_report import PlayedSource, Report
from streamer.analyzer.benchmarks.figures import Counted, Run, figures_of
from streamer.analyzer.benchmarks.followers import Arrival
from streamer.analyzer.benchmarks.jack_clock import Reading
from streamer.analyzer.benchmarks.live import search_largest
from streamer.analyzer.benchmarks.window_ends import Grid
from streamer.cli.bench_live import live
from streamer.engine.rings import Segment, SegmentKind
from tidzam_platform.clock import format_utc
from tidzam_platform.settings import Settings

GRID = Grid(window_frames=48_000, hop_frames=24_000)
ANCHOR_S = 1_700_000_000
CYCLE = 960  # 20 ms
NOTHING = Counted({"lost": 0, "missed": 0, "skipped": 0}, 0, 0, 0, 0)
LATE_S = 0.1
# Frame 0 sounds at jack frame 0, at 100 s. So window k has ended at 100 + k / 2 + 1 - 0.02 s.
REPORT = Report(
    (Reading(0, 100.0, 480), Reading(48_000 * 20, 120.0, 480)),
    {
        "one": PlayedSource(2, (Segment(0, 0, SegmentKind.AUDIO),), 48_000 * 20),
        "two": PlayedSource(1, (Segment(0, 0, SegmentKind.AUDIO),), 48_000 * 20),
    },
    ANCHOR_S * 10**9,
    CYCLE,
    3,
    100,
    0,
)


def arrivals() -> list[Arrival]:
    """Every window of all three channels, 0.1 s after its end."""
    return [
        Arrival(100 + number / 2 + 0.98 + LATE_S, channel, told(number))
        for number in range(39)
        for channel in ("one:out_1", "one:out_2", "two:out_1")
    ]


def told(number: int) -> str:
    return format_utc(datetime.fromtimestamp(ANCHOR_S, UTC) + timedelta(seconds=number / 2))


def run(**changes: Any) -> Run:
    """From 105 to 115 s: 20 windows of each channel."""
    made = Run(
        105.0,
        115.0,
        replace(REPORT, xruns=1, missed_frames=40),
        REPORT,
        NOTHING,
        NOTHING,
        {"jackd": 0.2, "server": 4.0},
        arrivals(),
        GRID,
    )
    return replace(made, **changes)


def test_all_that_came_is_counted_and_timed() -> None:
    figures = figures_of(run())
    assert (figures["windows"], figures["delivered"], figures["dropped"], figures["twice"]) == (60, 60, 0, 0)
    for name in ("p50_ms", "p99_ms", "max_ms"):
        assert figures[name] == pytest.approx(LATE_S * 1e3, abs=1e-3)
    assert figures["channels"] == 3
    assert (figures["xruns"], figures["missed_frames"]) == (2, 60)
    assert figures["cpu_share"]["server"] * figures["cores"] * 10 == pytest.approx(4.0)
    assert figures["rings_ahead_ms"] == pytest.approx(10)
    assert figures["holds"]


def test_a_window_that_did_not_come_is_dropped_though_nobody_knows_why() -> None:
    came = [one for one in arrivals() if not (one.channel == "one:out_2" and one.time == told(20))]
    figures = figures_of(run(arrivals=came))
    assert (figures["delivered"], figures["dropped"]) == (59, 1)
    assert figures["dropped_because"]["not_delivered"] == 1
    assert not figures["holds"]


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("left_out", replace(NOTHING, left_out={"lost": 1, "missed": 0, "skipped": 0})),
        ("left_out", replace(NOTHING, left_out={"lost": 0, "missed": 1, "skipped": 0})),
        ("to_spool", replace(NOTHING, to_spool=1)),
        ("lost", replace(NOTHING, lost=1)),
        ("undecided", replace(NOTHING, undecided=1)),
    ],
)
def test_what_the_analyzer_counted_is_dropped_also_where_it_came_late(name: str, counted: Counted) -> None:
    figures = figures_of(run(counted_after=counted))
    assert figures["delivered"] == figures["windows"]
    assert figures["dropped"] == figures["dropped_because"][name] == 1
    assert not figures["holds"]
    # A window that did not come, and of which the analyzer knows why, is one window.
    assert figures_of(run(counted_after=counted, arrivals=arrivals()[:-40]))["dropped"] >= 1
    came = [one for one in arrivals() if not (one.channel == "two:out_1" and one.time == told(21))]
    assert figures_of(run(counted_after=counted, arrivals=came))["dropped"] == 1
    assert figures_of(run(counted_before=counted, counted_after=counted))["dropped"] == 0


def test_a_window_that_comes_twice_does_not_hold_and_is_timed_by_its_first_event() -> None:
    again = next(one for one in arrivals() if one.time == told(20))
    figures = figures_of(run(arrivals=[*arrivals(), again._replace(at_s=again.at_s + 50)]))
    assert (figures["twice"], figures["dropped"]) == (1, 0)
    assert figures["max_ms"] < 200
    assert not figures["holds"]


def test_what_comes_too_late_does_not_hold() -> None:
    late = [one._replace(at_s=one.at_s + 0.45) for one in arrivals()]
    figures = figures_of(run(arrivals=late))
    assert figures["p99_ms"] == pytest.approx(550, abs=1e-3)
    assert (figures["dropped"], figures["holds"]) == (0, False)


def test_nothing_at_all_does_not_hold() -> None:
    figures = figures_of(run(arrivals=[]))
    assert (figures["p50_ms"], figures["p99_ms"]) == (None, None)
    assert (figures["dropped"], figures["holds"]) == (60, False)


@given(
    short_limit=st.integers(0, 1100),
    fewer=st.integers(0, 200),
    first=st.integers(1, 256),
    seconds=st.sampled_from([5.0, 120.0]),
)
def test_what_the_search_tells_held_for_the_whole_time(
    short_limit: int, fewer: int, first: int, seconds: float
) -> None:
    """A machine that carries ``short_limit`` channels for a short time, and some fewer for long."""
    limit = max(short_limit - fewer, 0) if seconds > 20 else short_limit
    tried: list[tuple[int, float]] = []

    def attempt(count: int, duration_s: float) -> dict[str, Any] | None:
        tried.append((count, duration_s))
        most = limit if duration_s == seconds else short_limit
        return {"channels": count, "seconds": duration_s} if count <= most else None

    known = {"channels": first, "seconds": seconds} if first <= limit else None
    found = search_largest(known, first, seconds, attempt)
    assert len(tried) < 40
    most = min(limit, 1024)
    if found is None:
        assert known is None
        assert most <= 16
    else:
        assert found["seconds"] == seconds
        assert found["channels"] <= most
        assert most - found["channels"] <= 2 * max(16, most // 4)
    if known is not None:
        assert found is not None
        assert found["channels"] >= first


def test_the_command_asks_for_what_it_is_told_and_says_the_figures(
    monkeypatch: pytest.MonkeyPatch, home: Settings
) -> None:
    asked: dict[str, Any] = {}

    def measured(settings: Settings, **options: Any) -> dict[str, Any]:
        asked.update(options)
        return {**figures_of(run()), "graph": "jack"}

    monkeypatch.setattr(live_module, "bench_live", measured)
    shown = CliRunner().invoke(live, ["--channels", "4", "--seconds", "2", "--no-search"])
    assert shown.exit_code == 0, shown.output
    assert "CPU of all cores, server" in shown.output
    assert (asked["channels"], asked["seconds"], asked["search"], asked["place"]) == (
        4,
        2.0,
        False,
        "socketio",
    )
    told_json = CliRunner().invoke(live, ["--json", "--from", "analyzer"])
    assert told_json.exit_code == 0
    assert '"p99_ms"' in told_json.output
    assert (asked["channels"], asked["seconds"], asked["search"], asked["place"]) == (
        128,
        120.0,
        True,
        "analyzer",
    )
