"""Clips that cannot be written: none of the others is lost, and what is lost is counted."""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from streamer.analyzer.keeping import writer as writer_module
from streamer.analyzer.keeping.writer import ClipJob
from tests.clips.made import metadata, noise16
from tests.streamer.analyzer.keeping.writing_clips import writing
from tests.support.waiting import wait_for
from tidzam_platform.clips import recording_clips
from tidzam_platform.settings import Settings


def test_clips_that_are_not_written_when_the_time_to_end_is_over_are_counted_as_lost(
    home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    answers, is_asked = threading.Event(), threading.Event()
    hangs = [False]

    def measure(_folder: Path) -> int:
        if hangs[0]:  # as a network disk does whose server has gone
            is_asked.set()
            assert answers.wait(30)
        return 1 << 40

    with writing(home, measure) as (writer, _, folder):
        hangs[0] = True
        assert writer.submit(ClipJob(noise16(9600), metadata()))
        assert is_asked.wait(20)
        for number in range(1, 3):
            assert writer.submit(ClipJob(noise16(9600, number), metadata(at_s=number)))
        began_s = time.monotonic()
        assert not writer.stop(0.3)
        assert time.monotonic() - began_s < 3
        assert writer.counts()["failed"] + len(list(folder.glob("*.flac"))) == 3
        assert writer.counts()["queued"] == 0
        assert "not written when the time to end was over" in caplog.text
        assert not writer.submit(ClipJob(noise16(9600), metadata()))
        answers.set()
    counts = writer.counts()
    assert counts["failed"] + counts["kept"] + len(list(folder.glob("*.flac"))) == 3, "each has one end"
    assert counts["failed"] >= 2


def test_spare_space_that_somebody_deleted_costs_nothing(home: Settings) -> None:
    with writing(home) as (writer, _, folder):
        (folder / "spare").unlink(missing_ok=True)  # the writer may be making it again just now
        writer._room._spare.give()
        assert writer.is_running


def test_a_damaged_clip_that_cannot_be_put_aside_costs_no_other(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = [True]

    def put_aside(path: Path) -> Path:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return recording_clips.put_aside(path)

    def spool_damaged(folder: Path, data: bytes) -> Path:
        path = recording_clips.spool_clip(folder, data)
        if full[0]:
            path.write_bytes(b"the disk has damaged it")
        return path

    aside = recording_clips.put_aside
    monkeypatch.setattr(writer_module, "put_aside", put_aside)
    monkeypatch.setattr(writer_module, "spool_clip", spool_damaged)
    monkeypatch.setattr(
        recording_clips, "put_aside", lambda path: aside(path) if not full[0] else put_aside(path)
    )
    with writing(home) as (writer, _, folder):
        assert writer.submit(ClipJob(noise16(9600, 1), metadata(at_s=1)))
        wait_for(lambda: writer.counts()["record_failures"] > 0, "it cannot be put aside")
        assert writer.is_running
        full[0] = False
        assert writer.submit(ClipJob(noise16(9600, 2), metadata(at_s=2)))
        wait_for(lambda: writer.counts()["damaged"] == 1, "there is room again")
        wait_for(lambda: writer.counts()["kept"] == 1, "the next one is kept")
        assert len(list((folder / "damaged").iterdir())) == 1


def test_a_clip_that_makes_a_fault_costs_no_other(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    encode, faults = writer_module.clip_bytes, [ValueError("nobody foresaw this")]

    def faulty(*what: Any) -> bytes:
        if faults:
            raise faults.pop()
        return encode(*what)

    monkeypatch.setattr(writer_module, "clip_bytes", faulty)
    with writing(home) as (writer, _, _folder):
        for number in (1, 2):
            assert writer.submit(ClipJob(noise16(9600, number), metadata(at_s=number)))
        wait_for(lambda: writer.counts()["kept"] == 1, "the other one is kept")
        assert writer.counts()["failed"] == writer.faults == 1
