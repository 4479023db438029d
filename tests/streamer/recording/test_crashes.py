"""What is on the disk after kill -9, on a full disk, and what a recovery makes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from streamer.engine.recording import recover
from streamer.engine.rings import RingFolder
from tests.streamer.recording.made import NOON, RATE_HZ, noise, recordings
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.audio import probe, read_audio

LATE_S = 2.5  # a page of 1 s, what the recorder, the encoder and the pipes hold, and a slow machine


@contextmanager
def _recording(
    folder: Path, seconds: float, *, file_s: int, max_bytes: int = 0, crash_at: str = ""
) -> Iterator[subprocess.Popen[str]]:
    arguments = [str(folder), str(seconds), str(file_s), str(max_bytes)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.streamer.recording.recording_process", *arguments],
        env={**os.environ, "TIDZAM_CRASH_AT": crash_at},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            with RingFolder(folder / "home"):  # shared memory of the dead is removed
                pass


def _sent_until(process: subprocess.Popen[str], frames: int) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= frames:
            return int(line)
    raise AssertionError(f"it ended with {process.wait()}")


def _check(folder: Path, sent: np.ndarray) -> int:
    """Every file holds what was sent when its name and its tags say; returns how many frames are held."""
    held = 0
    for path in recordings(folder):
        info = probe(path)
        first = int(info.tags["tidzam_frame"])
        samples = read_audio(path).T
        np.testing.assert_array_equal(samples, sent[first : first + len(samples)])
        assert path.name == f"marsh-{NOON.replace(second=first // RATE_HZ):%Y-%m-%d-%H-%M-%S}.ogg"
        assert not info.truncated
        assert info.holes == ()
        held += len(samples)
    return held


@pytest.fixture(autouse=True)
def _ffmpeg() -> None:
    require_part("ffmpeg")


def test_after_kill_9_no_more_than_the_last_page_is_missing_and_no_process_is_left(tmp_path: Path) -> None:
    with _recording(tmp_path, 60, file_s=60) as process:
        sent = _sent_until(process, 5 * RATE_HZ)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert children
    wait_for(lambda: not any(child.is_running() for child in children), "they end")
    recovery = recover(tmp_path / "archive")
    assert (len(recovery.recovered), recovery.removed, recovery.damaged, recovery.failed) == (1, 0, [], [])
    held = _check(tmp_path, noise(60))
    assert held >= sent - LATE_S * RATE_HZ
    again = recover(tmp_path / "archive")
    assert again.recovered == []


@pytest.mark.parametrize("point", ["recording.synced", "recording.reserved", "recording.renamed"])
def test_killed_while_a_file_gets_its_name_it_is_there_once_and_whole(tmp_path: Path, point: str) -> None:
    with _recording(tmp_path, 60, file_s=2, crash_at=point) as process:
        assert process.stdout is not None
        lines = process.stdout.read().split()
        assert process.wait() == -signal.SIGKILL
    recover(tmp_path / "archive")
    held = _check(tmp_path, noise(60))
    first, *_ = recordings(tmp_path)
    assert first.name == "marsh-2026-04-01-12-00-00.ogg"
    assert round(probe(first).seconds * RATE_HZ) == 2 * RATE_HZ
    assert held >= int(lines[-1]) - LATE_S * RATE_HZ


def test_a_full_disk_is_said_and_counted_and_recording_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with _recording(
        tmp_path, 8, file_s=60, max_bytes=150_000
    ) as process:  # a little more than a page of a second
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
        assert process.wait() == 0
    full = next(json.loads(line) for line in lines if line.startswith("{"))
    counts = json.loads(lines[-1])
    assert full["failures"] >= 1
    assert "cannot be written" in full["problem"] or full["state"] == "recording"
    assert "stopped" in lines
    recover(tmp_path / "archive")
    held = _check(tmp_path, noise(8))
    lost = counts["ring_lost_frames"] + counts["dropped_frames"] + counts["encoder_lost_frames"]
    assert lost > 0
    assert held + lost == 8 * RATE_HZ
    last = recordings(tmp_path)[-1]
    assert int(probe(last).tags["tidzam_frame"]) + round(probe(last).seconds * RATE_HZ) == 8 * RATE_HZ
