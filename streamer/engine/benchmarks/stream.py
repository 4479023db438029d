"""``./tidzam bench stream``: what the engine carries from sources through the graph to a reader, and what it loses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import psutil

from streamer.engine.benchmarks.engine_process import Load
from streamer.engine.graph.jackd import realtime_allowed
from tidzam_platform.audio.children import spawn
from tidzam_platform.errors import ProcessError
from tidzam_platform.settings import GraphSettings

MAX_LOST_FRACTION: Final = 1e-4
MAX_CHANNELS: Final = 1024  # graph.max_channels allows no more
_SEARCH_S: Final = 15.0  # of each trial of the search
_FINEST: Final = 16  # channels: the search ends there
_START_AND_END_S: Final = 300.0
_SAMPLE_S: Final = 1.0

Say = Callable[[str], None]


def measure_stream(
    settings: GraphSettings,
    *,
    channels: int,
    channels_per_source: int,
    seconds: float,
    busy_threads: int,
    search: bool,
    say: Say,
) -> dict[str, Any]:
    """Carry tones for ``seconds``, then look for the largest number of channels that holds.

    Returns:
        ``lost_fraction``: of all frames of all channels that the system's clock says there were: underflow, overtaken
        reader, xruns with the time that they cost. ``lost_unexplained``: frames that are wrong or missing while
        nothing says why. ``channel_mixups``: samples that belong to another channel. ``cpu_share``: of all cores, of
        engine and jackd, without the busy threads. ``memory_slope_mb_per_hour``: of both. ``largest_channels``: None
        where it was not looked for. And what these come from.

    Raises:
        ProcessError: the engine of the bench did not come to its end.
    """

    def trial(count: int, duration_s: float) -> dict[str, Any]:
        return run_once(settings, count, channels_per_source, duration_s, busy_threads)

    say(f"{channels} channels for {seconds:g} s ...")
    figures = trial(channels, seconds)
    say(_said(figures))
    largest = None
    if search:
        largest = find_largest(
            channels if holds(figures) else 0, lambda count: _try(trial, count, say), first=channels
        )
    return {**figures, "largest_channels": largest, "max_lost_fraction": MAX_LOST_FRACTION}


def holds(figures: dict[str, Any]) -> bool:
    """Whether nothing was lost that matters, and nothing that is not explained."""
    lost: float = figures["lost_fraction"]
    return lost <= MAX_LOST_FRACTION and not figures["lost_unexplained"] and not figures["channel_mixups"]


def find_largest(known: int, is_good: Callable[[int], bool], *, first: int) -> int:
    """The largest number of channels that holds, by doubling and then halving the gap; 0 if none does.

    Args:
        known: what is known to hold; 0 for nothing.
        is_good: tries a number.
        first: where to begin.
    """
    good, bad = known, None
    number = first if not known else known * 2
    while bad is None and number <= MAX_CHANNELS:
        if is_good(number):
            good, number = number, number * 2
        else:
            bad = number
    if bad is None and good < MAX_CHANNELS:
        bad = MAX_CHANNELS + 1
    while bad is not None and bad - good > max(_FINEST, good // 8):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if is_good(middle) else (good, middle)
    return good


def run_once(
    settings: GraphSettings, channels: int, channels_per_source: int, seconds: float, busy_threads: int
) -> dict[str, Any]:
    """One engine, one load."""
    with tempfile.TemporaryDirectory(prefix="tidzam-bench-") as home:
        graph = settings.model_copy(update={"max_channels": channels}).model_dump()
        load = Load(
            home=home,
            channels=channels,
            channels_per_source=channels_per_source,
            graph=graph,
            seconds=seconds,
            busy_threads=busy_threads,
        )
        counted, memory = _run_engine(load)
    return figures_of(counted, channels, memory)


def figures_of(counted: dict[str, Any], channels: int, memory: list[tuple[float, float]]) -> dict[str, Any]:
    """The figures of one run from what its processes counted, and memory (MB) over time (s)."""
    xrun_frames = counted["xrun_frames"] * channels
    lost = counted["reader_lost"] + counted["underflow"] + counted["missed"] + xrun_frames
    wrong = counted["mixups"] + counted["unexplained"]
    # What the system's clock says beyond what was computed and counted as missed; two cycles are the looking's own.
    clock_frames = round(counted["seconds"] * 48_000)
    gap = abs(clock_frames - counted["frames"] - counted["xrun_frames"])
    allowed = 2 * counted["cycle_frames"] + clock_frames // 10_000
    unexplained = counted["unexplained"] + max(0, gap - allowed) * channels
    cores = os.cpu_count() or 1
    used_s = counted["cpu"]["engine_s"] + counted["cpu"]["jackd_s"]
    return {
        "channels": channels,
        "seconds": counted["seconds"],
        "lost_fraction": (lost + wrong) / max(1, counted["good"] + lost + wrong),
        "lost_unexplained": unexplained,
        "xruns": counted["xruns"],
        "channel_mixups": counted["mixups"],
        "cpu_share": used_s / counted["seconds"] / cores,
        "memory_slope_mb_per_hour": slope_per_hour(memory),
        "memory_mb": memory[-1][1] if memory else None,
        "lost": {
            "reader": counted["reader_lost"],
            "underflow": counted["underflow"],
            "missed_cycles": counted["missed"],
            "xruns": xrun_frames,
        },
        "frames": counted["frames"],
        "clock_gap_frames": clock_frames - counted["frames"] - counted["xrun_frames"],
        "cycle_frames": counted["cycle_frames"],
        "graph": counted["graph"],
        "realtime": realtime_allowed(),
        "cores": cores,
        "cpu_s": {**counted["cpu"], "reader_s": counted["cpu_s"]},
    }


def slope_per_hour(memory: list[tuple[float, float]]) -> float | None:
    """Growth of memory, MB an hour, over the later half of the run; None where there is too little of it."""
    later = memory[len(memory) // 2 :]
    if len(later) < 4:
        return None
    at, used = np.array(later).T
    return float(np.polyfit(at - at[0], used, 1)[0] * 3600)


def _run_engine(load: Load) -> tuple[dict[str, Any], list[tuple[float, float]]]:
    command = [sys.executable, "-m", "streamer.engine.benchmarks.engine_process", load.as_json()]
    errors = Path(load.home) / "errors.txt"
    with errors.open("wb") as error_file:
        engine = spawn(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=error_file,
            environment=os.environ,
            folder=os.getcwd(),  # noqa: PTH109 - where the modules were found
        )
    with _Memory(engine.pid) as memory:
        try:
            answer, _ = engine.communicate(timeout=load.seconds + _START_AND_END_S)
        except subprocess.TimeoutExpired as error:
            raise ProcessError(f"the engine of the bench did not end: {_end_of(errors)}") from error
        finally:
            engine.kill()
            engine.wait()
    if engine.returncode != 0:
        raise ProcessError(f"the engine of the bench ended with {engine.returncode}: {_end_of(errors)}")
    counted: dict[str, Any] = json.loads(answer.splitlines()[-1])
    begun, ended = counted["counted_from_s"], counted["counted_until_s"]
    return counted, [sample for sample in memory.samples if begun <= sample[0] <= ended]


class _Memory:
    """Resident memory of the engine and of its jackd, MB, each second."""

    def __init__(self, pid: int) -> None:
        self.samples: list[tuple[float, float]] = []
        self._engine = psutil.Process(pid)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ending.wait(_SAMPLE_S):
            try:
                children = [one for one in self._engine.children() if one.name() == "jackd"]
                used = sum(one.memory_info().rss for one in (self._engine, *children))
            except psutil.Error:  # one of them has just ended
                continue
            self.samples.append((time.monotonic(), used / 2**20))


def _try(trial: Callable[[int, float], dict[str, Any]], count: int, say: Say) -> bool:
    try:
        figures = trial(count, _SEARCH_S)
    except ProcessError as error:
        say(f"{count} channels: {error}")
        return False
    say(_said(figures))
    return holds(figures)


def _said(figures: dict[str, Any]) -> str:
    return (
        f"{figures['channels']} channels: lost {figures['lost_fraction']:.2e}, {figures['xruns']} xruns, "
        f"{figures['lost_unexplained']} unexplained, CPU {figures['cpu_share']:.1%}: "
        f"{'holds' if holds(figures) else 'does not hold'}"
    )


def _end_of(errors: Path) -> str:
    return errors.read_text(errors="replace")[-2000:].strip()
