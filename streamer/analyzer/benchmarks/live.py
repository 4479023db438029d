"""``./tidzam bench live``: how many channels are heard live on this machine, and how soon (docs/analyzer_speed.md)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from serving.benchmarks.random_versions import export_random
from serving.benchmarks.server_process import ServerProcess
from serving.repository import ModelRepository
from streamer.analyzer.benchmarks.figures import P99_LIMIT_MS
from streamer.analyzer.benchmarks.followers import Place
from streamer.analyzer.benchmarks.trial import Plan, run_trial
from streamer.analyzer.benchmarks.window_ends import Grid
from streamer.engine.benchmarks.stream import find_largest
from streamer.engine.graph.jackd import realtime_allowed
from tidzam_platform.classifiers.front_end import preset
from tidzam_platform.errors import ProcessError
from tidzam_platform.settings import Settings

_VERSION: Final = 1
_SEARCH_S: Final = 20.0  # of each trial of the search; what it finds is tried for the whole time
_STEP: Final = 16  # channels fewer where that does not hold
_FEWER: Final = 8  # or this part of them

Say = Callable[[str], None]
Trial = Callable[[int, float], dict[str, Any] | None]


def bench_live(
    settings: Settings,
    *,
    channels: int,
    channels_per_source: int,
    spread_s: float,
    seconds: float,
    place: Place,
    search: bool,
    say: Say,
) -> dict[str, Any]:
    """Measure with a version of the default architecture and random weights, which costs what a learnt one does.

    See ``measure_live``. Window and hop are those of the front end that the settings name.
    """
    front_end, architecture = preset(settings.tree.front_end), settings.training.architecture
    grid = Grid.of_seconds(front_end.window_s, front_end.hop_s)
    plan = Plan(settings.graph, channels, channels_per_source, spread_s, seconds, place, grid)
    with tempfile.TemporaryDirectory(prefix="tidzam-bench-") as folder:
        repository = ModelRepository(Path(folder) / "models")
        with repository.staging() as staged:
            export_random(_VERSION, architecture, front_end, staged)
            repository.publish(_VERSION, staged)
        figures = measure_live(Path(folder), plan, search=search, say=say)
    return {**figures, "architecture": architecture}


def measure_live(home: Path, plan: Plan, *, search: bool, say: Say) -> dict[str, Any]:
    """Hear tones live as ``plan`` says, then look for the largest number of channels that holds.

    Engine with jackd, model server, analyzer and web process are processes of their own, as their users start them;
    each run has a data folder of its own, the model server has ``home``.

    Returns:
        The figures of ``figures_of``: of the largest number of channels that holds for ``plan.seconds``, where it was
        looked for and one holds; else of ``plan.channels``. ``asked``: those of ``plan.channels``. ``trials``:
        channels, seconds, and whether they held, of each run.

    Raises:
        ProcessError: the bench could not be carried out with ``plan.channels``.
    """
    trials: list[dict[str, Any]] = []
    with ServerProcess(home) as server:
        address = server.wait_until_ready()

        def trial(count: int, seconds: float) -> dict[str, Any]:
            say(f"{count} channels for {seconds:g} s ...")
            figures = run_trial(replace(plan, channels=count, seconds=seconds), server, address)
            say(_said(figures))
            trials.append({"channels": count, "seconds": seconds, "holds": figures["holds"]})
            return figures

        def attempt(count: int, seconds: float) -> dict[str, Any] | None:
            try:
                figures = trial(count, seconds)
            except ProcessError as error:
                say(f"{count} channels: {error}")
                trials.append({"channels": count, "seconds": seconds, "holds": False})
                return None
            return figures if figures["holds"] else None

        asked, best = trial(plan.channels, plan.seconds), None
        if search:
            known = asked if asked["holds"] else None
            best = search_largest(known, plan.channels, plan.seconds, attempt)
    return {
        **(best or asked),
        "asked": asked,
        "p99_limit_ms": P99_LIMIT_MS,
        "realtime": realtime_allowed(),
        "trials": trials,
    }


def search_largest(
    known: dict[str, Any] | None, first: int, seconds: float, attempt: Trial
) -> dict[str, Any] | None:
    """The figures of the largest number of channels that holds for ``seconds``; None if none does.

    By short trials first. What they find is tried for the whole time, and a few channels fewer until that holds.

    Args:
        known: figures of ``first`` channels, if they held for the whole time.
        first: where to begin.
        seconds: the whole time.
        attempt: tries a number of channels for some seconds; None if they do not hold.
    """
    short_s = min(seconds, _SEARCH_S)
    found: dict[int, dict[str, Any]] = {} if known is None else {first: known}

    def is_good(count: int) -> bool:
        figures = attempt(count, short_s)
        if figures is not None and short_s == seconds:
            found[count] = figures
        return figures is not None

    count = find_largest(0 if known is None else first, is_good, first=first)
    while count > 0 and count not in found:
        figures = attempt(count, seconds)
        if figures is not None:
            return figures
        fewer = count - max(_STEP, count // _FEWER)
        count = first if known is not None and fewer < first else fewer
    return found.get(count)


def _said(figures: dict[str, Any]) -> str:
    p99_ms = figures["p99_ms"]
    soon = "none came" if p99_ms is None else f"p50 {figures['p50_ms']:.0f} ms, p99 {p99_ms:.0f} ms"
    shares = ", ".join(f"{name} {share:.1%}" for name, share in figures["cpu_share"].items())
    return (
        f"{figures['channels']} channels: {figures['dropped']} of {figures['windows']} windows dropped, {soon}; "
        f"CPU of all cores: {shares}: {'holds' if figures['holds'] else 'does not hold'}"
    )
