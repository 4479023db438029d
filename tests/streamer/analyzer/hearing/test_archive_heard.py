"""The proof of it all: an archive played by the real engine gives the windows of its files, bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from streamer.analyzer.hearing import AudioHistory, Hearer
from streamer.analyzer.hearing.track import as_int16
from streamer.analyzer.windows import Geometry, Run
from streamer.engine.core import Engine
from tests.archive.made import make_recording
from tests.audio.made import encode, noise
from tests.streamer.analyzer.hearing.small_engine import NS_PER_S, Listener
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.archive import index_archive
from tidzam_platform.audio import Window, cut_windows, decode_blocks
from tidzam_platform.catalog import Catalog
from tidzam_platform.settings import Settings

CHANNELS = 2
GEOMETRY = Geometry(48_000, 48_000, 24_000)


@pytest.fixture(params=["clock", "jack"])
def settings(home: Settings, request: pytest.FixtureRequest) -> Settings:
    if request.param == "jack":
        require_part("jackd")
    return home.model_copy(
        update={
            "graph": home.graph.model_copy(update={"kind": request.param, "ring_s": 4.0}),
            "icecast": home.icecast.model_copy(update={"enabled": False}),
        }
    )


@pytest.fixture
def recordings(settings: Settings) -> list[Path]:
    """Two that follow each other, one shorter than a window, and one as Ogg/Opus."""
    require_part("ffmpeg")
    folder = settings.archive_folder
    made = [
        make_recording(folder, "marsh-2026-04-01-05-00-00.wav", seconds=2, channels=CHANNELS),
        make_recording(folder, "marsh-2026-04-01-05-00-02.wav", seconds=1.3, channels=CHANNELS),
        make_recording(folder, "marsh-2026-04-01-07-00-00.wav", seconds=0.4, channels=CHANNELS),
        encode(noise(1.7, channels=CHANNELS), folder / "marsh-2026-04-01-08-00-00.opus", "opus"),
    ]
    catalog = Catalog.open(settings.catalog_url)
    index_archive(catalog, folder, locks_folder=settings.locks_folder)
    catalog.close()
    return made


@pytest.fixture
def engine(settings: Settings, recordings: list[Path]) -> Iterator[Engine]:
    with Engine(settings) as running:
        yield running


def windows_of(path: Path, geometry: Geometry) -> list[Window]:
    return list(
        cut_windows(
            decode_blocks(path, rate_hz=geometry.rate_hz),
            window_frames=geometry.window_frames,
            hop_frames=geometry.hop_frames,
        )
    )


def start_of(path: Path) -> int:
    """What its name says, ns since 1970."""
    start = datetime.strptime(path.stem, "marsh-%Y-%m-%d-%H-%M-%S").replace(tzinfo=UTC)
    return round(start.timestamp()) * NS_PER_S


def test_an_archive_played_is_heard_as_its_files_are(
    engine: Engine, recordings: list[Path], settings: Settings
) -> None:
    listener, history = Listener(), AudioHistory(10**8)
    history.set_seconds(10)
    hearer = Hearer(
        settings.home, settings.analyzer, listener.on_moment, history, on_run_end=listener.on_run_end
    )
    hearer.set_geometry(GEOMETRY)
    hearer.start()
    wait_for(lambda: bool(hearer.status()["is_hearing"]), "it hears")
    engine.sources.add({"name": "then", "database": "marsh", "date": "2026-04-01-05-00-00"})
    wait_for(lambda: len(listener.ended) == len(recordings), "all recordings were heard", 60)
    hearer.stop()
    expected = {start_of(path): windows_of(path, GEOMETRY) for path in recordings}
    assert [run.anchor_utc_ns for run, _ in listener.ended] == list(expected)
    for number in range(1, CHANNELS + 1):
        heard = listener.of(f"then:out_{number}")
        assert [(run.anchor_utc_ns, start) for run, start, _ in heard] == [
            (utc_ns, window.start_frame) for utc_ns, windows in expected.items() for window in windows
        ]
        for (_, _, row), window in zip(heard, chain.from_iterable(expected.values()), strict=True):
            np.testing.assert_array_equal(row, window.samples[number - 1])
    run = Run("then", start_of(recordings[-1]), GEOMETRY)
    kept = history.audio(run, 2, 0, 48_000)
    assert kept is not None
    np.testing.assert_array_equal(kept, as_int16(expected[run.anchor_utc_ns][0].samples[1:])[0])
    counts = hearer.counts()
    assert sum(counts["windows_left_out"].values()) == counts["faults"] == counts["lost_frames"] == 0
    assert counts["windows"] == len(listener.windows) == CHANNELS * sum(map(len, expected.values()))


def test_at_another_rate_it_is_heard_as_its_files_are(
    engine: Engine, recordings: list[Path], settings: Settings
) -> None:
    geometry = Geometry(22_050, 22_050, 11_025)
    listener = Listener()
    hearer = Hearer(settings.home, settings.analyzer, listener.on_moment, on_run_end=listener.on_run_end)
    hearer.set_geometry(geometry)
    hearer.start()
    wait_for(lambda: bool(hearer.status()["is_hearing"]), "it hears")
    engine.sources.add({"name": "then", "database": "marsh", "date": "2026-04-01-08-00-00"})
    wait_for(lambda: len(listener.ended) == 1, "the recording was heard", 60)
    hearer.stop()
    expected = windows_of(recordings[-1], geometry)
    heard = listener.of("then:out_1")
    assert [start for _, start, _ in heard] == [window.start_frame for window in expected]
    for (_, _, row), window in zip(heard, expected, strict=True):
        # The same resampler as that of files, of whatever version each of them brings.
        np.testing.assert_allclose(row, window.samples[0], atol=1e-5)
