"""A full disk: no clip is cut, everyone is told within seconds, and it goes on when there is room."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.analyzer.free_space import free_bytes
from streamer.analyzer.keeping.disk_watch import DiskWatch, is_disk_full
from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.keeping.making_room import RoomMaker
from streamer.analyzer.keeping.writer import ClipJob, ClipWriter
from tests.clips.made import metadata, noise16, record
from tests.streamer.analyzer.keeping.site_under_test import Site, running_site
from tests.streamer.analyzer.keeping.writing_clips import Told, writing
from tests.support.parts import require_part
from tests.support.s3_servers import S3Server
from tests.support.waiting import wait_for
from tidzam_platform.audio import probe
from tidzam_platform.catalog.tables import Annotation
from tidzam_platform.clock import utc_now
from tidzam_platform.files import PARTIAL_FOLDER
from tidzam_platform.home import Home
from tidzam_platform.settings import ClipsSettings, Settings, load_settings

MB = 1_000_000
DISK_MB = 24
ALARM_S = 5.0


@pytest.fixture
def small_home(home: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A home on a disk of 24 MB, a megabyte of it for the catalog."""
    require_part("ffmpeg")
    if os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root alone")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield home.model_copy(update={"home": folder})
    finally:
        subprocess.run(["umount", folder], check=True)


def having(settings: Settings, **clips: Any) -> Settings:
    return settings.model_copy(update={"clips": ClipsSettings(**clips)})


def fill(folder: Path, left_bytes: int = 0) -> Path:
    """Somebody else fills the disk, up to the last byte or nearly."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as handle:
        while (room := free_bytes(folder) - left_bytes) > 0:
            try:
                handle.write(bytes(min(room, MB)))
            except OSError:
                break
    return ballast


def all_whole(site: Site) -> int:
    """How many clips there are; each is whole, each object is a clip's, and nothing is left over."""
    clips = site.clips()
    assert sorted(clip.store_key for clip in clips) == list(site.home.store.keys("clips/"))
    for clip in clips:
        data = site.home.store.get_bytes(clip.store_key)
        assert hashlib.sha256(data).hexdigest() == clip.sha256
    with site.home.store.as_file(clips[0].store_key) as file:
        assert probe(file).seconds == clips[0].seconds
    for folder in (site.home.settings.home / "spool" / "clips", site.home.settings.store_folder):
        assert not list((folder / PARTIAL_FOLDER).glob("*"))
    return len(clips)


RULE = {"classes": "birds", "length_s": 10}  # a clip of noise is nearly a megabyte


def test_somebody_fills_the_disk_and_makes_room_again(small_home: Settings) -> None:
    with running_site(having(small_home, disk_reserve_mb=4), RULE) as site:
        site.sound(seconds=12)
        site.wait_kept(1)
        assert site.events("disk_alarm") == []
        ballast = fill(small_home.home)
        full_s = time.monotonic()
        wait_for(lambda: bool(site.events("disk_alarm")), "the alarm", ALARM_S)
        assert site.told_at("disk_alarm")[0] - full_s <= ALARM_S
        (alarm,) = site.events("disk_alarm")
        assert (alarm["state"], alarm["is_full"]) == ("full", True)
        assert "are free" in alarm["reason"]
        wait_for(lambda: not site.keeper.status()["accepts"], "no clips are taken")
        for channel in range(2, 7):
            site.sound(seconds=12, channel=channel)
        wait_for(lambda: site.reasons() == ["no_room"] * 5, "they are skipped, and told")
        # The only clip that nobody had labelled had to go.
        wait_for(lambda: site.keeper.counts()["removed"] == 1, "room is made")
        ballast.unlink()
        wait_for(lambda: site.events("disk_alarm")[-1]["state"] == "ok", "the alarm ends")
        wait_for(lambda: bool(site.keeper.status()["accepts"]), "clips are taken")
        site.sound(seconds=12)
        site.wait_kept(2)
        assert all_whole(site) == 1
        assert len(site.events("disk_alarm")) == 2
        assert site.keeper.status()["is_running"]


def test_clips_fill_the_disk_up_to_the_reserve_and_no_further(small_home: Settings) -> None:
    with running_site(having(small_home, disk_reserve_mb=12, when_full="stop"), RULE) as site:
        for number in range(50):
            site.sound(seconds=12, channel=1 + number % 8)
            wait_for(
                lambda: site.keeper.counts()["queued"] < 3 or bool(site.events("disk_alarm")),
                "they are written",
            )
            if site.events("disk_alarm"):
                break
        wait_for(lambda: not site.keeper.status()["accepts"], "no clips are taken", ALARM_S)
        assert site.keeper.status()["disk"]["is_full"]
        assert free_bytes(small_home.home) >= 12 * MB
        assert all_whole(site) >= 5
        assert site.keeper.counts()["removed"] == 0
        site.sound(seconds=12)
        wait_for(lambda: "no_room" in site.reasons(), "it is told")


def test_the_oldest_that_nobody_labelled_make_room_for_new_ones(small_home: Settings) -> None:
    with running_site(having(small_home, disk_reserve_mb=14), RULE) as site:
        site.sound(seconds=12)
        site.wait_kept(1)
        (first,) = site.clips()
        with site.home.catalog.session() as session:
            said = {"class_path": "rain", "annotator": "ann", "tool": "test", "made_at": utc_now()}
            session.add(Annotation(clip_id=first.id, **said))
        for number in range(50):
            site.sound(seconds=12, channel=1 + number % 8)
            wait_for(lambda: site.keeper.counts()["queued"] < 3, "the writer follows")
            if site.keeper.counts()["removed"] > 4:
                break
        assert site.keeper.counts()["removed"] > 4
        wait_for(lambda: site.keeper.counts()["queued"] == 0, "all are written")
        ids = sorted(clip.id for clip in site.clips())
        assert ids[0] == first.id
        assert ids[1] > 4, "the oldest of the others are gone"
        assert free_bytes(small_home.home) >= 14 * MB
        assert all_whole(site) >= 4
        assert site.events("disk_alarm")


def test_clips_that_nobody_labelled_have_a_quota(small_home: Settings) -> None:
    with running_site(having(small_home, disk_reserve_mb=1, total_mb=4), RULE) as site:
        for number in range(10):
            site.sound(seconds=12, channel=1 + number % 8)
            wait_for(lambda: site.keeper.counts()["queued"] < 3, "the writer follows")
        site.wait_kept(10)
        assert 2 * MB <= sum(clip.origin["bytes"] for clip in site.clips()) <= 4 * MB
        assert all_whole(site) >= 3
        assert site.events("disk_alarm") == []


def test_where_nothing_is_removed_the_quota_is_an_alarm(small_home: Settings) -> None:
    with running_site(having(small_home, disk_reserve_mb=1, total_mb=2, when_full="stop"), RULE) as site:
        for number in range(4):
            site.sound(seconds=12, channel=1 + number)
        wait_for(lambda: bool(site.events("disk_alarm")), "the alarm", ALARM_S)
        assert "2 MB" in site.events("disk_alarm")[0]["reason"]
        assert all_whole(site) == 2


def test_a_write_that_fails_for_want_of_space_is_repeated_until_there_is_some(small_home: Settings) -> None:
    """Where the disk says that there is room and there is none (a quota): the write itself must cope."""
    settings = having(small_home, disk_reserve_mb=0)
    home, told = Home.open(settings), Told()
    folder = small_home.home / "spool" / "clips"
    folder.mkdir(parents=True)
    disk = DiskWatch((folder,), 0, told, measure=lambda _folder: 1 << 40)
    room = RoomMaker(home, disk, folder, settings.clips)
    writer = ClipWriter(home, folder, Ledger(), disk, room, told)
    writer.start()
    ballast = fill(small_home.home)
    full_s = time.monotonic()
    for number in range(3):
        assert writer.submit(ClipJob(noise16(96_000, number), metadata(at_s=number)))
    wait_for(lambda: bool(told), "the alarm", ALARM_S)
    assert time.monotonic() - full_s <= ALARM_S
    assert told[0]["event"] == "disk_alarm"
    assert "cannot be written" in told[0]["reason"]
    assert not writer.accepts
    time.sleep(2.5)  # it tries again meanwhile
    assert not list(folder.glob("*.flac"))
    assert not list((folder / PARTIAL_FOLDER).glob("*.owner"))
    ballast.unlink()
    wait_for(lambda: writer.counts()["kept"] == 3, "all three are kept")
    assert [one["event"] for one in told if one["event"] == "disk_alarm"] == ["disk_alarm"] * 2
    assert writer.stop(10)
    assert len(list(home.store.keys("clips/"))) == 3
    home.catalog.close()


def test_a_store_without_space_leaves_clips_in_the_spool_until_there_is_some(small_home: Settings) -> None:
    settings = having(small_home, disk_reserve_mb=0)
    home, told = Home.open(settings), Told()
    folder = small_home.home / "spool" / "clips"
    folder.mkdir(parents=True)
    disk = DiskWatch((folder,), 0, told, measure=lambda _folder: 1 << 40)
    room = RoomMaker(home, disk, folder, settings.clips)
    writer = ClipWriter(home, folder, Ledger(), disk, room, told)
    ballast = fill(small_home.home, left_bytes=250_000)  # for the spool, and not for the store
    writer.start()
    assert writer.submit(ClipJob(noise16(96_000), metadata()))
    wait_for(lambda: writer.counts()["record_failures"] > 0, "the store has no space")
    wait_for(lambda: bool(told), "the alarm", ALARM_S)
    assert len(list(folder.glob("*.flac"))) == 1
    assert list(home.store.keys("clips/")) == []
    ballast.unlink()
    wait_for(lambda: writer.counts()["kept"] == 1, "it is kept")
    wait_for(lambda: not disk.is_alarmed, "the alarm ends")
    assert writer.stop(10)
    assert len(list(home.store.keys("clips/"))) == 1
    assert not list(folder.glob("*.flac"))
    home.catalog.close()


@pytest.mark.parametrize("distant", [False, True], ids=["here", "distant"])
def test_clips_of_a_distant_store_are_not_removed_for_a_full_disk_here(
    distant: bool, home: Settings, moto: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (moto.variables() if distant else {}).items():
        monkeypatch.setenv(name, value)
    opened, told = Home.open(load_settings()), Told()
    record(opened.catalog, opened.store, tmp_path, metadata(), frames=480)
    disk = DiskWatch((tmp_path,), 50 * MB, told, measure=lambda _folder: 10 * MB)
    room = RoomMaker(opened, disk, tmp_path, having(home).clips)
    assert not room.make(MB)
    assert told[0]["event"] == "disk_alarm"
    assert room.removed_clips == (0 if distant else 1)
    assert len(list(opened.store.keys("clips/"))) == (1 if distant else 0)
    opened.catalog.close()


def test_an_alarm_begins_and_ends_once_though_the_free_space_wavers() -> None:
    told, free = Told(), [100 * MB]
    disk = DiskWatch((Path("/"),), 50 * MB, told, measure=lambda _folder: free[0])
    for now_mb in (60, 51, 49, 50, 54, 49, 54, 56, 51, 60):
        free[0] = now_mb * MB
        disk.look(at_once=True)
    assert [one["state"] for one in told] == ["full", "ok"]
    assert told[1]["free_mb"] == 56
    assert disk.alarms == 1


def test_a_full_disk_is_known_behind_other_errors() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    behind = RuntimeError("store")
    behind.__cause__ = full
    assert is_disk_full(full)
    assert is_disk_full(behind)
    assert not is_disk_full(OSError(errno.EIO, "bad"))
    assert not is_disk_full(None)


class TestFreeSpaceThatNobodyKnows:
    def test_is_an_alarm_and_no_room(self) -> None:
        told, fails = Told(), [False]

        def measure(_folder: Path) -> int:
            if fails[0]:
                raise OSError(errno.EIO, "Input/output error")
            return 100 * MB

        disk = DiskWatch((Path("/"),), 50 * MB, told, measure=measure)
        assert disk.look(at_once=True) == 100 * MB
        fails[0] = True
        assert not disk.has_room(0)
        assert disk.look() is None
        assert [one["state"] for one in told] == ["full"]
        assert "is not known: Input/output error" in told[0]["reason"]
        assert disk.status()["free_mb"] is None
        fails[0] = False
        assert disk.has_room(0)
        assert [one["state"] for one in told] == ["full", "ok"]

    def test_never_costs_an_old_clip(self, home: Settings) -> None:
        fails = [False]

        def measure(_folder: Path) -> int:
            if fails[0]:
                raise OSError(errno.ESTALE, "Stale file handle")
            return 100 * MB

        with writing(having(home, disk_reserve_mb=1), measure) as (writer, platform, _):
            assert writer.submit(ClipJob(noise16(9600), metadata()))
            wait_for(lambda: writer.counts()["kept"] == 1, "it is kept")
            fails[0] = True
            wait_for(lambda: not writer.accepts, "no clips are taken")
            assert not writer._room.make(1000)
            assert writer.counts()["removed"] == 0
            assert len(list(platform.store.keys("clips/"))) == 1
