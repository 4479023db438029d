"""``bench live`` with real processes and JACK, on a tiny model for a moment: figures are there, and agree."""

from __future__ import annotations

from typing import cast

import psutil
import pytest

from serving.benchmarks.server_process import ServerProcess
from serving.repository import ModelRepository
from streamer.analyzer.benchmarks.followers import Place
from streamer.analyzer.benchmarks.live import measure_live
from streamer.analyzer.benchmarks.trial import Plan, run_trial
from streamer.analyzer.benchmarks.window_ends import Grid
from tests.support.parts import require_part
from tests.support.tiny_model import description, export_tiny
from tidzam_platform.errors import ProcessError
from tidzam_platform.settings import GraphSettings, Settings

CHANNELS, SECONDS = 5, 3.0
FIGURES = {
    "channels",
    "dropped",
    "p50_ms",
    "p99_ms",
    "max_ms",
    "windows",
    "delivered",
    "twice",
    "dropped_because",
    "interruptions",
    "seconds",
    "cores",
    "cpu_share",
    "xruns",
    "missed_frames",
    "underflow_frames",
    "cycle_ms",
    "clock_wander_ms",
    "rings_ahead_ms",
    "rate_hz",
    "window_s",
    "hop_s",
    "holds",
    "mean_batch",
    "graph",
    "measured_at",
    "spread_s",
    "channels_per_source",
}


@pytest.fixture
def tiny_home(home: Settings) -> Settings:
    """A data folder with a tiny model."""
    repository = ModelRepository(home.models_folder)
    with repository.staging() as staged:
        export_tiny(1, staged)
        repository.publish(1, staged)
    return home


@pytest.mark.long
@pytest.mark.parametrize("place", [Place.SOCKETIO, Place.ANALYZER])
def test_every_figure_is_there_and_they_agree(tiny_home: Settings, place: Place) -> None:
    require_part("jackd")
    said = description(1)
    plan = Plan(
        GraphSettings(kind="jack", period_frames=512),
        CHANNELS,
        2,
        0.1,
        SECONDS,
        place,
        Grid.of_seconds(said.window_s, said.hop_s),
    )
    remarks: list[str] = []
    before = children()
    figures = measure_live(tiny_home.home, plan, search=False, say=remarks.append)

    assert children() <= before
    assert set(figures) == FIGURES | {"asked", "p99_limit_ms", "realtime", "trials"}
    assert {name: figures[name] for name in FIGURES} == figures["asked"]
    assert figures["trials"] == [{"channels": CHANNELS, "seconds": SECONDS, "holds": figures["holds"]}]
    assert (figures["graph"], figures["measured_at"], figures["channels"]) == ("jack", place.value, CHANNELS)
    assert figures["seconds"] == pytest.approx(SECONDS, rel=0.5)
    # Windows end once a hop on each channel.
    hops = figures["seconds"] / said.hop_s
    assert figures["windows"] == pytest.approx(CHANNELS * hops, abs=CHANNELS)
    because = figures["dropped_because"]
    causes = ("left_out", "to_spool", "lost", "undecided", "not_delivered")
    assert figures["dropped"] == sum(because[cause] for cause in causes)
    assert because["left_out"] == sum(because["left_out_by_cause"].values())
    assert figures["dropped"] >= figures["windows"] - figures["delivered"]
    assert figures["delivered"] > figures["windows"] / 2
    assert figures["twice"] == 0
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"] < 10_000
    assert set(figures["cpu_share"]) == {"jackd", "engine", "analyzer", "server", "web", "tones", "client"}
    assert all(0 <= share < 1 for share in figures["cpu_share"].values())
    assert figures["cpu_share"]["analyzer"] > 0
    assert (figures["cpu_share"]["web"] > 0) == (place is Place.SOCKETIO)
    assert figures["mean_batch"] >= 1
    # The rings and the clock count the same frames: between its beginning and its end a cycle is written.
    assert -50 < figures["rings_ahead_ms"] <= figures["cycle_ms"]
    assert figures["clock_wander_ms"] < 100
    assert len(remarks) == 2


@pytest.mark.long
def test_a_run_that_fails_says_why_and_leaves_nothing_behind(home: Settings) -> None:
    require_part("jackd")
    graph = GraphSettings(kind="jack", driver="alsa", device="hw:nosuchcard")
    plan = Plan(graph, 1, 1, 0.0, SECONDS, Place.ANALYZER, Grid(48_000, 24_000))
    before = children()
    nobody = cast(ServerProcess, None)  # nothing is asked of it so early
    with pytest.raises(ProcessError, match="nosuchcard"):
        run_trial(plan, nobody, "127.0.0.1:1")
    assert children() <= before


def children() -> set[int]:
    """Processes that we started, and that live."""
    return {child.pid for child in psutil.Process().children(recursive=True)}
