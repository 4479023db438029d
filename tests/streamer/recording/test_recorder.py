"""Recording: gapless files, right names and times, nothing silently missing."""

from __future__ import annotations

import os
import signal
import threading
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import psutil
import pytest

from streamer.engine.recording import ArchiveRecorder
from streamer.engine.rings.layout import W_PLAYED
from tests.streamer.recording.made import (
    NOON,
    NOON_NS,
    RATE_HZ,
    Played,
    frames_of,
    joined,
    noise,
    plan,
    recordings,
    source,
)
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.audio import probe, read_audio


@pytest.fixture(autouse=True)
def _ffmpeg() -> None:
    require_part("ffmpeg")


class JumpingClock:
    """A wall clock that somebody keeps setting by an hour."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> datetime:
        self.calls += 1
        return NOON + timedelta(hours=(-1) ** self.calls)


def test_three_files_of_a_minute_hold_what_was_sent_sample_for_sample_while_the_clock_jumps(
    tmp_path: Path,
) -> None:
    clock = JumpingClock()
    sent = noise(181.25, seed=7)
    with source(tmp_path) as marsh:
        marsh.ring.set_anchor(NOON_NS)
        recorder = ArchiveRecorder(marsh.ring, plan(tmp_path), clock=clock)
        recorder.start()
        marsh.send(sent, recorder)
        assert recorder.stop()
    files = recordings(tmp_path)
    assert [path.name for path in files] == [f"marsh-2026-04-01-12-0{minute}-00.ogg" for minute in range(4)]
    assert [frames_of(path) for path in files] == [60 * RATE_HZ] * 3 + [round(1.25 * RATE_HZ)]
    np.testing.assert_array_equal(joined(files), sent)
    assert clock.calls == 0
    assert recorder.counts() == {
        "recorded_frames": len(sent),
        "ring_lost_frames": 0,
        "dropped_frames": 0,
        "failures": 0,
        "renamed": 0,
        "finished_files": 4,
        "empty_files": 0,
        "unfinished_files": 0,
        "encoder_lost_frames": 0,
    }


def test_without_an_anchor_the_clock_is_asked_once(tmp_path: Path) -> None:
    clock = JumpingClock()
    with source(tmp_path) as marsh:
        recorder = ArchiveRecorder(marsh.ring, plan(tmp_path), clock=clock)
        recorder.start()
        marsh.send(noise(61), recorder)
        assert recorder.stop()
    assert [path.name for path in recordings(tmp_path)] == [
        "marsh-2026-04-01-11-00-00.ogg",
        "marsh-2026-04-01-11-01-00.ogg",
    ]
    assert clock.calls == 1


def test_a_file_begins_in_the_middle_and_ends_at_the_whole_minute_with_its_exact_start_in_its_tags(
    tmp_path: Path,
) -> None:
    with source(tmp_path) as marsh:
        marsh.ring.set_anchor(NOON_NS + 50_123_456_789)
        recorder = ArchiveRecorder(marsh.ring, plan(tmp_path, zone="Europe/Paris"))
        recorder.start()
        marsh.send(noise(12), recorder)
        assert recorder.stop()
    first, second = recordings(tmp_path)
    assert (first.name, second.name) == ("marsh-2026-04-01-14-00-50.ogg", "marsh-2026-04-01-14-01-00.ogg")
    tags = probe(second).tags
    assert (
        frames_of(first) == int(tags["tidzam_frame"]) == -(-(60 * 10**9 - 50_123_456_789) * RATE_HZ // 10**9)
    )
    assert probe(first).tags["tidzam_start"] == "2026-04-01T12:00:50.123456789Z"
    assert "2026-04-01T12:01:00.000" <= tags["tidzam_start"] < "2026-04-01T12:01:00.000020834Z"
    assert tags["tidzam_anchor_utc"] == "2026-04-01T12:00:50.123456789Z"
    assert tags["tidzam_anchor_frame"] == "0"


def test_a_jump_of_time_begins_a_new_file_and_a_correction_does_not(tmp_path: Path) -> None:
    sent = noise(6)
    with source(tmp_path) as marsh:
        marsh.ring.set_anchor(NOON_NS)
        recorder = ArchiveRecorder(marsh.ring, plan(tmp_path))
        recorder.start()
        marsh.send(sent[: 2 * RATE_HZ], recorder)
        marsh.ring.set_anchor(NOON_NS + 2_005_000_000)  # 5 ms off
        marsh.send(sent[2 * RATE_HZ : 4 * RATE_HZ], recorder)
        marsh.ring.set_anchor(NOON_NS + 3_600_000_000_000)
        marsh.send(sent[4 * RATE_HZ :], recorder)
        assert recorder.stop()
    files = recordings(tmp_path)
    assert [path.name for path in files] == ["marsh-2026-04-01-12-00-00.ogg", "marsh-2026-04-01-13-00-00.ogg"]
    assert [frames_of(path) for path in files] == [4 * RATE_HZ, 2 * RATE_HZ]
    np.testing.assert_array_equal(joined(files), sent)


def test_what_the_ring_lost_is_counted_and_what_follows_has_its_own_time(tmp_path: Path) -> None:
    with source(tmp_path) as marsh:
        marsh.ring.set_anchor(NOON_NS)
        recorder = ArchiveRecorder(marsh.ring, plan(tmp_path), first_frame=0)
        marsh.send(noise(10))  # the ring holds 4 s
        recorder.start()
        wait_for(lambda: recorder.counts()["recorded_frames"] > 0, "it records")
        marsh.send(noise(1), recorder=None)
        assert recorder.stop()
    counts = recorder.counts()
    (file,) = recordings(tmp_path)
    assert counts["ring_lost_frames"] >= 6 * RATE_HZ
    assert counts["ring_lost_frames"] + counts["recorded_frames"] == 11 * RATE_HZ
    assert frames_of(file) == counts["recorded_frames"]
    assert int(probe(file).tags["tidzam_frame"]) == counts["ring_lost_frames"]
    start = NOON + timedelta(seconds=counts["ring_lost_frames"] / RATE_HZ)
    assert file.name == f"marsh-{start:%Y-%m-%d-%H-%M-%S}.ogg"


def test_frames_that_are_lost_in_the_middle_end_one_file_and_begin_another(tmp_path: Path) -> None:
    stalled = threading.Event()
    go_on = threading.Event()

    def disk_hangs(_path: Path) -> None:
        stalled.set()
        assert go_on.wait(60)

    sent = noise(30)
    with source(tmp_path) as marsh:
        marsh.ring.set_anchor(NOON_NS)
        recorder = ArchiveRecorder(marsh.ring, plan(tmp_path, file_s=2), on_finished=disk_hangs)
        recorder.start()
        marsh.send(sent[: 5 * RATE_HZ], recorder)
        assert stalled.wait(20)
        marsh.send(
            sent[5 * RATE_HZ :]
        )  # three files wait for the disk, so the recorder waits, and the ring runs over
        wait_for(lambda: "too slow" in recorder.status()["problem"], "it says so")
        go_on.set()
        wait_for(lambda: recorder.counts()["ring_lost_frames"] > 0, "the loss is counted")
        assert recorder.stop()
    counts = recorder.counts()
    assert counts["ring_lost_frames"] + counts["recorded_frames"] == len(sent)
    files = recordings(tmp_path)
    found = np.zeros(len(sent), bool)
    for path in files:
        first = int(probe(path).tags["tidzam_frame"])
        samples = read_audio(path).T
        np.testing.assert_array_equal(samples, sent[first : first + len(samples)])
        assert not found[first : first + len(samples)].any()
        found[first : first + len(samples)] = True
        begun = NOON + timedelta(seconds=first / RATE_HZ)
        assert path.name == f"marsh-{begun:%Y-%m-%d-%H-%M-%S}.ogg"
    assert found.sum() == counts["recorded_frames"]
    assert found.sum() < len(sent)


@pytest.mark.parametrize("channels", [1, 2, 3, 64])
def test_opus_of_any_number_of_channels_keeps_their_order_and_the_length_to_the_sample(
    tmp_path: Path, channels: int
) -> None:
    seconds = np.arange(round(1.5 * RATE_HZ) + 123) / RATE_HZ
    hertz = 300 + 100 * np.arange(channels)
    sent = (0.3 * np.sin(2 * np.pi * seconds[:, None] * hertz)).astype(np.float32)
    with source(tmp_path, channels) as marsh:
        marsh.ring.set_anchor(NOON_NS)
        recorder = ArchiveRecorder(marsh.ring, plan(tmp_path, codec="opus"))
        recorder.start()
        marsh.send(sent, recorder)
        assert recorder.stop()
    (file,) = recordings(tmp_path)
    assert file.name == "marsh-2026-04-01-12-00-00.opus"
    audio = read_audio(file)
    assert audio.shape == (channels, len(sent))
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(sent))))
    assert spectrum.argmax(axis=1) * RATE_HZ / len(sent) == pytest.approx(hertz, abs=1)
    assert not probe(file).truncated


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "marsh-2026-04-01-12-00-00.ogg").write_bytes(b"precious")
    with source(tmp_path) as marsh:
        marsh.ring.set_anchor(NOON_NS + 500_000_000)
        recorder = ArchiveRecorder(marsh.ring, plan(tmp_path))
        recorder.start()
        marsh.send(noise(1), recorder)
        assert recorder.stop()
    assert (folder / "marsh-2026-04-01-12-00-00.ogg").read_bytes() == b"precious"
    other = folder / "marsh-2026-04-01-12-00-01.ogg"
    assert probe(other).tags["tidzam_start"] == "2026-04-01T12:00:00.500000000Z"
    assert recorder.counts()["renamed"] == 1


def test_a_source_that_falls_silent_leaves_a_finished_file_and_a_new_one_when_it_goes_on(
    tmp_path: Path,
) -> None:
    finished: list[Path] = []
    with source(tmp_path) as marsh:
        marsh.ring.set_anchor(NOON_NS)
        recorder = ArchiveRecorder(marsh.ring, plan(tmp_path), idle_s=0.3, on_finished=finished.append)
        recorder.start()
        marsh.send(noise(1, seed=1), recorder)
        wait_for(lambda: len(finished) == 1, "the file is finished")
        assert recorder.status()["state"] == "waiting"
        marsh.send(noise(1, seed=2), recorder)
        assert recorder.stop()
    files = recordings(tmp_path)
    assert [path.name for path in files] == ["marsh-2026-04-01-12-00-00.ogg", "marsh-2026-04-01-12-00-01.ogg"]
    np.testing.assert_array_equal(joined(files), np.concatenate([noise(1, seed=1), noise(1, seed=2)]))


def test_a_recorder_that_has_ended_holds_no_file_no_thread_and_no_process(tmp_path: Path) -> None:
    def held() -> tuple[int, int, int]:
        files = len(list(Path("/proc/self/fd").iterdir()))
        return files, threading.active_count(), len(psutil.Process().children())

    with source(tmp_path) as marsh:
        marsh.ring.set_anchor(NOON_NS)
        before = None
        for number in range(3):
            recorder = ArchiveRecorder(marsh.ring, plan(tmp_path, file_s=1))
            recorder.start()
            marsh.send(noise(2.5), recorder)
            assert recorder.stop()
            del recorder
            before = before or held()  # the thread that starts children stays, from the first time on
            assert held() == before, number


def test_nothing_sent_leaves_nothing(tmp_path: Path) -> None:
    with source(tmp_path) as marsh:
        recorder = ArchiveRecorder(marsh.ring, plan(tmp_path))
        recorder.start()
        assert recorder.stop()
        never_started = ArchiveRecorder(marsh.ring, plan(tmp_path))
        assert never_started.stop()
    assert not (tmp_path / "archive").exists()


def test_an_encoder_that_is_killed_costs_a_page_and_the_rest_is_there_with_its_time(tmp_path: Path) -> None:
    sent = noise(12)
    with source(tmp_path) as marsh:
        marsh.ring.set_anchor(NOON_NS)
        recorder = ArchiveRecorder(marsh.ring, plan(tmp_path))
        recorder.start()
        marsh.send(sent[: 5 * RATE_HZ], recorder)
        assert recorder._file is not None
        file = recorder._file
        wait_for(lambda: file.written_frames >= RATE_HZ, "pages are on the disk")
        os.kill(file._encoder.pid, signal.SIGKILL)
        wait_for(lambda: recorder.counts()["failures"] == 1, "it is seen")
        marsh.ring.words[W_PLAYED] = marsh.ring.written_frames
        _send_slowly(marsh, sent[5 * RATE_HZ :], recorder)
        assert recorder.stop()
    counts = recorder.counts()
    _assert_whole(tmp_path, sent, counts)
    assert 0 < counts["encoder_lost_frames"] <= 4 * RATE_HZ
    assert len(recordings(tmp_path)) == 2


def test_a_folder_that_cannot_be_made_is_said_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "archive").touch()
    sent = noise(8)
    with source(tmp_path) as marsh:
        marsh.ring.set_anchor(NOON_NS)
        recorder = ArchiveRecorder(marsh.ring, plan(tmp_path))
        recorder.start()
        marsh.send(sent[: 2 * RATE_HZ])
        wait_for(lambda: recorder.status()["state"] == "failing", "it fails")
        assert "no recording can be begun" in recorder.status()["problem"]
        (tmp_path / "archive").unlink()
        _send_slowly(marsh, sent[2 * RATE_HZ :], recorder)
        assert recorder.stop()
    counts = recorder.counts()
    assert counts["failures"] >= 1
    assert counts["dropped_frames"] >= 1
    _assert_whole(tmp_path, sent, counts)


def _send_slowly(marsh: Played, samples: np.ndarray, recorder: ArchiveRecorder) -> None:
    """While it may be waiting for its next try, the ring keeps 2 s and more."""
    for begin in range(0, len(samples), RATE_HZ):
        marsh.send(samples[begin : begin + RATE_HZ])
        wait_for(
            lambda: recorder.status()["state"] == "recording" and recorder._reader.available == 0,
            "it records",
        )


def _assert_whole(folder: Path, sent: np.ndarray, counts: dict[str, int]) -> None:
    """Every file holds what was sent at the frame that it names, and what is in none is counted."""
    held = 0
    for path in recordings(folder):
        first = int(probe(path).tags["tidzam_frame"])
        samples = read_audio(path).T
        np.testing.assert_array_equal(samples, sent[first : first + len(samples)])
        held += len(samples)
    lost = counts["ring_lost_frames"] + counts["dropped_frames"] + counts["encoder_lost_frames"]
    assert held + lost == len(sent)
