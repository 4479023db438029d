"""What ``bench stream`` tells: each figure from where it says. Nothing here is timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from serving.cli.bench import bench
from streamer.engine.benchmarks import stream
from streamer.engine.benchmarks.proof import Proof
from streamer.engine.benchmarks.stream import (
    MAX_CHANNELS,
    figures_of,
    find_largest,
    holds,
    run_once,
    slope_per_hour,
)
from streamer.engine.benchmarks.tones import PERIOD_FRAMES, tones
from streamer.engine.graph import ANALYZER, ClockGraph
from streamer.engine.rings import ChannelRings, RingFolder, SourceRing
from tests.support.parts import require_part
from tidzam_platform.errors import ProcessError
from tidzam_platform.settings import GraphSettings

COUNTED: dict[str, Any] = {
    "good": 2_000_000,
    "reader_lost": 0,
    "underflow": 0,
    "missed": 0,
    "mixups": 0,
    "unexplained": 0,
    "cpu_s": 0.5,
    "frames": 480_000,
    "seconds": 10.0,
    "xruns": 0,
    "xrun_frames": 0,
    "cycle_frames": 1024,
    "graph": "jack",
    "cpu": {"engine_s": 3.0, "busy_threads_s": 9.0, "jackd_s": 1.0},
}


def test_a_tone_tells_its_channel_and_goes_on_without_a_seam() -> None:
    period = tones(0, 200)
    assert period.shape == (PERIOD_FRAMES, 200)
    loudest = np.abs(np.fft.rfft(period, axis=0)).argmax(axis=0) * 48_000 / PERIOD_FRAMES
    np.testing.assert_array_equal(loudest, 200 + 10 * np.arange(200))
    np.testing.assert_array_equal(tones(50, 7), period[:, 50:57])
    assert np.abs(period).max() <= 0.5


def test_every_kind_of_loss_counts_and_none_is_called_another() -> None:
    assert figures_of(COUNTED, 4, [])["lost_fraction"] == 0
    lost = {
        "reader_lost": 10,
        "underflow": 20,
        "missed": 30,
        "mixups": 5,
        "unexplained": 7,
        "xrun_frames": 25,
    }
    figures = figures_of({**COUNTED, **lost, "frames": 480_000 - 25}, 4, [])
    assert figures["lost"] == {"reader": 10, "underflow": 20, "missed_cycles": 30, "xruns": 100}
    assert figures["lost_fraction"] == pytest.approx(172 / (2_000_000 + 172))
    assert figures["lost_unexplained"] == 7
    assert figures["channel_mixups"] == 5
    assert not holds(figures)


def test_time_that_nobody_counted_is_unexplained() -> None:
    figures = figures_of({**COUNTED, "frames": 480_000 - 2 * 1024 - 48 - 100}, 4, [])
    assert figures["lost_unexplained"] == 400
    assert not holds(figures)


def test_processor_time_is_of_engine_and_jackd_without_the_threads_in_their_way() -> None:
    figures = figures_of(COUNTED, 4, [])
    assert figures["cpu_share"] * figures["cores"] * 10 == pytest.approx(4.0)


def test_growth_of_memory_is_that_of_the_later_half() -> None:
    steady = [(float(second), 500.0 - (50.0 if second < 10 else 0.0)) for second in range(40)]
    assert slope_per_hour(steady) == pytest.approx(0, abs=1e-6)
    assert slope_per_hour([(second, used + second * 0.01) for second, used in steady]) == pytest.approx(36)
    assert slope_per_hour(steady[:5]) is None


@given(limit=st.integers(0, 1500), first=st.integers(1, 1024), knows=st.booleans())
def test_the_search_finds_the_largest_number_that_holds(limit: int, first: int, knows: bool) -> None:
    tried: list[int] = []

    def is_good(count: int) -> bool:
        tried.append(count)
        assert 1 <= count <= MAX_CHANNELS
        return count <= limit

    known = first if knows and first <= limit else 0
    found = find_largest(known, is_good, first=first)
    assert found <= min(limit, MAX_CHANNELS)
    assert min(limit, MAX_CHANNELS) - found <= max(16, found // 8)
    assert len(tried) < 20


def heard(tmp_path: Path, wrongly: bool) -> Proof:
    """A second of four channels through our own graph; ``wrongly`` with two of them exchanged."""
    with (
        RingFolder(tmp_path) as folder,
        SourceRing.create(folder, "tones0", 4, seconds=2) as ring,
        ChannelRings.create(folder, 4, 2) as rings,
        ClockGraph(paced=False) as graph,
    ):
        ring.write(np.tile(tones(0, 4), (12, 1)))
        source, inputs = graph.open_source("tones0", ring), graph.open_inputs(ANALYZER, rings)
        for channel in range(4):
            slot = {2: 3, 3: 2}.get(channel, channel) if wrongly else channel
            graph.connect(source.ports[channel], inputs.bind(slot).port)
        ring.playing = True
        proof = Proof(rings, ring, range(4), 0, tones(0, 4), rings.written_frames)
        graph.step(20)
        ring.playing = False
        graph.step(2)
        ring.playing = True
        graph.step(25)
        proof.read(rings.written_frames - 5 * 1024)
        rings.data[1, 45 * 1024] += 0.25
        proof.read(rings.written_frames)
        return proof


def test_the_proof_knows_right_from_wrong(tmp_path: Path) -> None:
    tally = heard(tmp_path, wrongly=False).tally
    # Two cycles of silence that nothing in the bench explains, and one sample that was changed.
    assert tally.unexplained == 4 * 2 * 1024 + 1
    assert tally.good == 4 * 45 * 1024 - 1
    assert (tally.mixups, tally.missed, tally.underflow, tally.reader_lost) == (0, 0, 0, 0)


def test_the_proof_knows_another_channels_sound(tmp_path: Path) -> None:
    tally = heard(tmp_path, wrongly=True).tally
    assert tally.mixups > 0.95 * 2 * 45 * 1024
    assert tally.good > 2 * 45 * 1024 - 2


def test_a_short_run_through_real_processes_and_jack_explains_all_that_it_loses() -> None:
    require_part("jackd")
    figures = run_once(GraphSettings(kind="jack", period_frames=512), 5, 2, 1.0, 1)
    assert figures["graph"] == "jack"
    assert figures["frames"] > 40_000
    assert figures["channel_mixups"] == 0
    assert figures["lost_unexplained"] == 0
    assert 0 < figures["cpu_share"] < 1
    assert figures["cpu_s"]["reader_s"] > 0
    assert figures["memory_mb"] is None or figures["memory_mb"] > 50


def test_a_run_that_fails_says_why() -> None:
    require_part("jackd")
    settings = GraphSettings(kind="jack", driver="alsa", device="hw:nosuchcard")
    with pytest.raises(ProcessError, match="nosuchcard"):
        run_once(settings, 1, 1, 1.0, 0)


def test_the_command_is_found_among_the_benchmarks_and_says_the_figures(
    monkeypatch: pytest.MonkeyPatch, home: Any
) -> None:
    asked: dict[str, Any] = {}

    def measured(settings: GraphSettings, **options: Any) -> dict[str, Any]:
        asked.update(options)
        return {**figures_of(COUNTED, 4, []), "largest_channels": 512}

    monkeypatch.setattr(stream, "measure_stream", measured)
    shown = CliRunner().invoke(bench, ["stream", "--channels", "4", "--seconds", "2"])
    assert shown.exit_code == 0, shown.output
    assert "512" in shown.output
    assert (asked["channels"], asked["seconds"], asked["busy_threads"], asked["search"]) == (4, 2.0, 3, True)
    assert CliRunner().invoke(bench, ["stream", "--no-search", "--json"]).exit_code == 0
    assert asked["search"] is False
    assert CliRunner().invoke(bench, ["nonsense"]).exit_code == 2
    assert "stream" in CliRunner().invoke(bench, ["--help"]).output
