"""A source that a test plays, and what the archive made of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from streamer.engine.recording import ArchiveRecorder, RecordingPlan
from streamer.engine.rings import RingFolder, SourceRing
from streamer.engine.rings.layout import W_PLAYED
from tidzam_platform.audio import probe, read_audio

RATE_HZ = 48_000
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * 10**9


def plan(folder: Path, *, file_s: int = 60, codec: str = "flac", zone: str = "UTC") -> RecordingPlan:
    return RecordingPlan(
        source="marsh",
        database="marsh",
        folder=folder / "archive",
        zone=ZoneInfo(zone),
        file_s=file_s,
        bitrate_kbps=32,
        codec="opus" if codec == "opus" else "flac",
    )


def noise(seconds: float, channels: int = 1, seed: int = 1) -> np.ndarray:
    """Noise of 24 bits, which FLAC keeps: float32 [frames, channels]."""
    steps = np.random.default_rng(seed).integers(-(2**20), 2**20, (round(seconds * RATE_HZ), channels))
    return (steps / 2**23).astype(np.float32)


@dataclass
class Played:
    """The ring of a source, played by a graph that is always in time."""

    ring: SourceRing

    def send(self, samples: np.ndarray, recorder: ArchiveRecorder | None = None) -> None:
        """Write samples, no faster than ``recorder`` takes them."""
        piece = RATE_HZ // 4
        for begin in range(0, len(samples), piece):
            part = samples[begin : begin + piece]
            self.ring.words[W_PLAYED] = self.ring.written_frames
            assert self.ring.write(part) == len(part)
            deadline_s = time.monotonic() + 30
            while recorder is not None and self.ring.written_frames - recorder._next_frame > 3 * RATE_HZ:
                assert time.monotonic() < deadline_s, f"the recorder does not keep up: {recorder.status()}"
                time.sleep(0.005)


@contextmanager
def source(folder: Path, channels: int = 1) -> Iterator[Played]:
    (folder / "home").mkdir(exist_ok=True)
    with (
        RingFolder(folder / "home") as rings,
        SourceRing.create(rings, "marsh", channels, seconds=4) as ring,
    ):
        yield Played(ring)


def recordings(folder: Path) -> list[Path]:
    """In the order of their names; there is nothing else in the folder."""
    found = sorted((folder / "archive").iterdir())
    assert all(not path.name.startswith(".") for path in found), found
    return found


def joined(paths: list[Path]) -> np.ndarray:
    """The audio of the files one after the other, float32 [frames, channels]."""
    return np.concatenate([read_audio(path).T for path in paths])


def frames_of(path: Path) -> int:
    return round(probe(path).seconds * RATE_HZ)
