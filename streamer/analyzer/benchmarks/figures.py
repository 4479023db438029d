"""The figures of one run: from what the engine noted, what arrived, and what the analyzer counted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from streamer.analyzer.benchmarks.engine_report import Report
from streamer.analyzer.benchmarks.followers import Arrival
from streamer.analyzer.benchmarks.jack_clock import FrameTimes
from streamer.analyzer.benchmarks.window_ends import Grid, window_ends
from streamer.engine.rings import ENGINE_RATE_HZ
from tidzam_platform.clock import parse_utc
from tidzam_platform.names import channel as channel_name

P99_LIMIT_MS: Final = 500.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Window = tuple[str, int]  # channel, and number on the grid of its source


@dataclass(frozen=True)
class Counted:
    """What the analyzer counted until a moment: windows by the cause why they were not heard live."""

    left_out: Mapping[str, int]
    to_spool: int
    lost: int
    undecided: int
    interruptions: int

    @classmethod
    def of_answer(cls, counts: Mapping[str, Any]) -> Counted:
        """From what the analyzer answers to ``counts``."""
        return cls(
            dict(counts["hearing_windows_left_out"]),
            counts["asking_to_spool"],
            counts["asking_lost"],
            counts["deciding_undecided"],
            counts["hearing_interruptions"],
        )


@dataclass(frozen=True)
class Run:
    """What one run gave.

    Attributes:
        from_s, until_s: windows whose audio ended in between count; ``time.monotonic()``.
        before, after: what the engine noted until then, the first only for differences.
        counted_before, counted_after: by the analyzer, the second when all has arrived that will.
        cpu_s: processor time in between, by process.
        arrivals: all that arrived.
        grid: where windows lie.
    """

    from_s: float
    until_s: float
    before: Report
    after: Report
    counted_before: Counted
    counted_after: Counted
    cpu_s: Mapping[str, float]
    arrivals: Sequence[Arrival]
    grid: Grid


def expected_windows(report: Report, grid: Grid, from_s: float, until_s: float) -> dict[Window, float]:
    """The windows whose audio ended between two moments, and when each did; ``time.monotonic()``."""
    times = FrameTimes(report.readings)
    expected = {}
    for name, source in report.sources.items():
        ends = window_ends(source, grid, times, report.cycle_frames)
        for number in np.flatnonzero((ends >= from_s) & (ends < until_s)):
            for channel in range(1, source.channels + 1):
                expected[channel_name(name, channel), int(number)] = float(ends[number])
    return expected


def window_of(arrival: Arrival, anchor_utc_ns: int, grid: Grid) -> Window:
    """Which window arrived: times are told to the millisecond, the grid is coarser."""
    since_s = (parse_utc(arrival.time) - _EPOCH).total_seconds() - anchor_utc_ns / 1e9
    return arrival.channel, round(since_s * ENGINE_RATE_HZ / grid.hop_frames)


def figures_of(run: Run) -> dict[str, Any]:
    """The figures; docs/analyzer_speed.md says what each means."""
    report = run.after
    expected = expected_windows(report, run.grid, run.from_s, run.until_s)
    first: dict[Window, float] = {}
    twice = 0
    for arrival in run.arrivals:
        window = window_of(arrival, report.anchor_utc_ns, run.grid)
        twice += window in first
        first.setdefault(window, arrival.at_s)
    took_ms = [(first[window] - ended_s) * 1e3 for window, ended_s in expected.items() if window in first]
    missing = len(expected) - len(took_ms)
    because = _dropped_because(run.counted_before, run.counted_after, missing)
    p50_ms, p99_ms, max_ms = np.percentile(took_ms, (50, 99, 100)) if took_ms else (None, None, None)
    seconds, cores = run.until_s - run.from_s, os.cpu_count() or 1
    times = FrameTimes(report.readings)
    figures = {
        "channels": sum(source.channels for source in report.sources.values()),
        "dropped": because["left_out"]
        + because["to_spool"]
        + because["lost"]
        + because["undecided"]
        + because["not_delivered"],
        "p50_ms": _number(p50_ms),
        "p99_ms": _number(p99_ms),
        "max_ms": _number(max_ms),
        "windows": len(expected),
        "delivered": len(took_ms),
        "twice": twice,
        "dropped_because": because,
        "interruptions": run.counted_after.interruptions - run.counted_before.interruptions,
        "seconds": seconds,
        "cores": cores,
        "cpu_share": {name: spent_s / seconds / cores for name, spent_s in run.cpu_s.items()},
        "xruns": report.xruns - run.before.xruns,
        "missed_frames": report.missed_frames - run.before.missed_frames,
        "underflow_frames": report.underflow_frames - run.before.underflow_frames,
        "cycle_ms": report.cycle_frames / ENGINE_RATE_HZ * 1e3,
        "clock_wander_ms": times.wander_ms(run.from_s, run.until_s),
        "rings_ahead_ms": times.ahead_ms(),
        "rate_hz": ENGINE_RATE_HZ,
        "window_s": run.grid.window_frames / ENGINE_RATE_HZ,
        "hop_s": run.grid.hop_frames / ENGINE_RATE_HZ,
    }
    return {**figures, "holds": holds(figures)}


def holds(figures: Mapping[str, Any]) -> bool:
    """Whether every window came, live and once, and soon enough."""
    p99_ms = figures["p99_ms"]
    came = figures["windows"] > 0 and not figures["dropped"] and not figures["twice"]
    return bool(came and p99_ms is not None and p99_ms < P99_LIMIT_MS)


def _dropped_because(before: Counted, after: Counted, missing: int) -> dict[str, Any]:
    """Windows by the cause; ``not_delivered`` are those of which the analyzer knows of no cause."""
    causes = {cause: count - before.left_out.get(cause, 0) for cause, count in sorted(after.left_out.items())}
    known = {
        "left_out": sum(causes.values()),
        "to_spool": after.to_spool - before.to_spool,
        "lost": after.lost - before.lost,
        "undecided": after.undecided - before.undecided,
    }
    return {**known, "not_delivered": max(missing - sum(known.values()), 0), "left_out_by_cause": causes}


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
