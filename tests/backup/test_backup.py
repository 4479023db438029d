"""A backup that is made while others write comes back whole, and half of one is none."""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.backup.made import add_clip, fill, objects_of, restored
from tests.support.crash import cli_environment, run_and_crash
from tests.support.in_process import run_here
from tests.support.small_site import last_line
from tests.support.waiting import wait_for
from tidzam_platform.backup import Manifest, make_backup, prune_backups, restore_backup, verify_backup
from tidzam_platform.backup.databases import counts_of
from tidzam_platform.backup.named_objects import named_objects
from tidzam_platform.catalog.tables import Clip, Recording, Source
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import BackupError, FolderInUseError
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings, load_settings


@pytest.fixture(params=["backup.tar.zst", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(tmp_path / "backups" / request.param)


def test_all_of_a_home_comes_back(home: Settings, place: Path, tmp_path: Path) -> None:
    old = fill(home)
    report = make_backup(home, place)
    assert report.manifest.missing == []
    new = restored(place, tmp_path / "new")
    assert counts_of(new.catalog) == counts_of(old.catalog)
    assert list(new.store.keys()) == list(old.store.keys())
    assert named_objects(new.catalog) <= set(new.store.keys())
    folder = new.settings.home
    assert (folder / "models" / "tidzam" / "1" / "saved_model.pb").read_bytes() == b"weights"
    assert (folder / "secrets" / "token").read_text() == "hush"
    assert (folder / "secrets" / "token").stat().st_mode & 0o777 == 0o600
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o700
    assert (folder / "tidzam.toml").exists()
    with closing(sqlite3.connect(folder / "dagster" / "runs.db")) as database:
        assert database.execute("SELECT id FROM runs").fetchall() == [(7,)]
    assert not (folder / "logs" / "a.log").exists()
    assert not (folder / "archive").exists()
    assert not list((folder / ".partial").iterdir())
    for path in [place, *place.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0 or path.is_dir() or path.stat().st_size < 100, path
    new.catalog.close()
    old.catalog.close()


@contextmanager
def _writer(folder: Path) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.backup.made"],
        env=cli_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stdout.readline() == b"writing\n", process.stderr.read()
        yield
        assert process.poll() is None, process.stderr.read()
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()
        process.stderr.close()


def _clips(settings: Settings) -> int:
    opened = Home.open(settings)
    counted = counts_of(opened.catalog)["clips"]
    opened.catalog.close()
    return counted


def test_a_backup_made_while_others_write_is_of_one_moment(
    home: Settings, place: Path, tmp_path: Path
) -> None:
    fill(home).catalog.close()
    with _writer(home.home):
        made = run_here(["backup", place, "--json"], home.home)
        held = last_line(made.stdout)["counts"]["clips"]
        wait_for(lambda: _clips(home) > held + 1, "more is written", 20)  # the newest may go again
        again = run_here(["backup", tmp_path / "second.tar.zst", "--json"], home.home)
    assert made.returncode == 0, made.stderr
    assert again.returncode == 0, again.stderr
    answer = last_line(made.stdout)
    assert last_line(again.stdout)["counts"]["clips"] > answer["counts"]["clips"]
    new = tmp_path / "new"
    restored = run_here(["restore", place, "--home", new, "--json"], home.home)
    assert restored.returncode == 0, restored.stderr + restored.stdout
    said = last_line(restored.stdout)
    assert said["ok"]
    assert said["missing"] == []
    assert said["counts"] == answer["counts"]
    assert run_here(["check"], new).returncode == 0
    opened = Home.open(load_settings(home=new))
    assert counts_of(opened.catalog) == answer["counts"]
    with opened.catalog.reading() as session:
        clips = session.scalars(select(Clip)).unique().all()
        assert len(clips) == answer["counts"]["clips"]
        assert all(opened.store.size_bytes(clip.store_key) for clip in clips)
    opened.catalog.close()


def test_a_folder_keeps_every_backup_and_adds_only_what_is_new(home: Settings, tmp_path: Path) -> None:
    old = fill(home)
    place = tmp_path / "backups"
    first = make_backup(home, place)
    add_clip(old, 77)
    second = make_backup(home, place)
    assert 0 < second.new_bytes < first.new_bytes
    assert len(list((place / "backups").glob("*.json"))) == 2
    for path in sorted((place / "backups").glob("*.json")):
        verify_backup(path)
    earlier = restored(min((place / "backups").glob("*.json")), tmp_path / "earlier")
    newest = restored(place, tmp_path / "newest")
    assert counts_of(newest.catalog)["clips"] == counts_of(earlier.catalog)["clips"] + 1
    assert prune_backups(place, keep=1)[0] == 1
    assert verify_backup(place).counts == second.manifest.counts
    for opened in (earlier, newest, old):
        opened.catalog.close()


CRASHES = (
    "backup.before_manifest",
    "files.written",
    pytest.param("backup.catalog", marks=pytest.mark.long),
    pytest.param("backup.file:4", marks=pytest.mark.long),
)


@pytest.mark.parametrize("crash_at", CRASHES)
def test_a_killed_backup_is_no_backup(home: Settings, tmp_path: Path, crash_at: str) -> None:
    fill(home).catalog.close()
    place = tmp_path / "backups" / "one.tar.zst"
    run_and_crash(["backup", place], crash_at, home.home)
    assert not place.exists()
    folder = tmp_path / "backups" / "folder"
    if crash_at == "files.written":
        crash_at = "files.written:2"  # the first one is the mark of the folder
    run_and_crash(["backup", folder], crash_at, home.home)
    with pytest.raises(BackupError, match="holds no backup"):
        verify_backup(folder)
    make_backup(home, place)
    make_backup(home, folder)
    verify_backup(place)
    verify_backup(folder)
    assert not list((tmp_path / "backups" / ".partial").iterdir())
    assert not list((folder / ".partial").iterdir())


@pytest.mark.parametrize("crash_at", ["restore.read", "restore.placed", "restore.moved:2"])
def test_a_killed_restore_leaves_no_home_that_looks_whole(
    home: Settings, tmp_path: Path, crash_at: str
) -> None:
    fill(home).catalog.close()
    place = tmp_path / "one.tar.zst"
    make_backup(home, place)
    new = tmp_path / "new"
    run_and_crash(["restore", place, "--home", new], crash_at, home.home)
    assert not (new / "catalog.db").exists()
    if crash_at != "restore.moved:2":  # nothing has its place yet: the next one begins anew
        restored(place, new).catalog.close()


def test_objects_that_go_while_a_backup_is_made_are_not_named_by_it(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidzam_platform.backup import making
    from tidzam_platform.retention.clip_rows import forget_clips

    old = fill(home)
    with old.catalog.reading() as session:
        first, second, _ = session.scalars(select(Clip).order_by(Clip.id)).unique().all()
    copy_store = making._copy_store

    def remove_first(*arguments: Any) -> None:
        with old.catalog.session() as session:
            forget_clips(session, [first.id])
        old.store.delete(first.store_key)
        old.store.delete(second.store_key)  # and one that the home itself lost
        copy_store(*arguments)

    monkeypatch.setattr(making, "_copy_store", remove_first)
    report = make_backup(home, tmp_path / "one.tar.zst")
    assert report.manifest.removed_meanwhile == 1
    assert report.manifest.missing == [second.store_key]
    assert report.manifest.counts["clips"] == 2
    assert report.manifest.counts["annotations"] == 3
    new = restore_backup(tmp_path / "one.tar.zst", load_settings(home=tmp_path / "new"))
    assert new.missing == [second.store_key]
    old.catalog.close()


def test_recordings_come_along_when_asked_for_and_the_catalog_finds_them(
    home: Settings, place: Path, tmp_path: Path
) -> None:
    old = fill(home)
    path = home.archive_folder / "marsh-2026-04-01-05-00-00.opus"
    with old.catalog.session() as session:
        source = session.scalar(select(Source))
        session.add(
            Recording(
                source=source,
                path=str(path),
                size_bytes=11,
                mtime_ns=path.stat().st_mtime_ns,
                start=utc_now(),
            )
        )
    old.catalog.close()
    make_backup(home, place, archive=True)
    new = restored(place, tmp_path / "new")
    with new.catalog.reading() as session:
        row = session.scalars(select(Recording)).one()
    assert Path(row.path).read_bytes() == b"a recording"
    assert Path(row.path).stat().st_mtime_ns == row.mtime_ns
    assert Path(row.path).is_relative_to(tmp_path / "new")
    new.catalog.close()


def test_a_home_that_holds_anything_is_refused(home: Settings, tmp_path: Path) -> None:
    fill(home).catalog.close()
    place = tmp_path / "one.tar.zst"
    make_backup(home, place)
    with pytest.raises(FolderInUseError, match="not empty"):
        restore_backup(place, home)
    with pytest.raises(FolderInUseError, match="already"):
        make_backup(home, place)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(FolderInUseError, match="something else"):
        make_backup(home, tmp_path / "other")
    with pytest.raises(BackupError, match="outside"):
        make_backup(home, home.store_folder / "backups")
    for inside in ("one.tar.zst", "secrets/one.tar.zst", "new/one.tar.zst"):  # a file leaves its folder out
        with pytest.raises(BackupError, match="part of the next"):
            make_backup(home, home.home / inside)


def test_backups_in_the_home_itself_are_not_in_backups(home: Settings, tmp_path: Path) -> None:
    fill(home).catalog.close()
    first = make_backup(home, home.home / "backups")
    again = make_backup(home, home.home / "backups")
    other = make_backup(home, home.home / "others")
    for report in (first, again, other):
        assert not [entry.path for entry in report.manifest.entries if "backups" in entry.path]
    assert "backups: other backups" in other.manifest.left_out


def test_a_backup_that_cannot_be_read_again_is_taken_away(
    home: Settings, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidzam_platform.backup import making

    fill(home).catalog.close()

    def fails(*_arguments: object, **_more: object) -> None:
        raise BackupError("the disk gives back something else")

    monkeypatch.setattr(making, "verify_backup", fails)
    with pytest.raises(BackupError, match="something else"):
        make_backup(home, place)
    assert not place.is_file()
    assert not list((place / "backups").glob("*"))


def test_a_backup_with_a_later_name_is_not_taken_for_the_one_just_made(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidzam_platform.backup import making

    old = fill(home)
    place = tmp_path / "backups"
    make_backup(home, place)
    (before,) = (place / "backups").glob("*.json")
    later = before.rename(before.with_name("2999-01-01T00-00-00.000Z.json"))  # a clock went wrong
    add_clip(old, 77)
    old.catalog.close()
    made = make_backup(home, place).manifest
    (mine,) = set((place / "backups").glob("*.json")) - {later}
    assert verify_backup(mine).made_at == made.made_at

    def damaged(path: Path, **more: Any) -> Manifest:
        manifest = verify_backup(path, **more)
        raise BackupError(f"{manifest.made_at} is damaged")

    monkeypatch.setattr(making, "verify_backup", damaged)
    with pytest.raises(BackupError, match="is damaged"):
        make_backup(home, place)
    assert set((place / "backups").glob("*.json")) == {later, mine}


def _flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [_flip, lambda data: data[: len(data) // 2], lambda data: data[:0], lambda data: data[:-4]]
)
def test_a_damaged_file_is_refused(home: Settings, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    fill(home).catalog.close()
    place = tmp_path / "one.tar.zst"
    make_backup(home, place)
    place.write_bytes(damage(place.read_bytes()))
    with pytest.raises(BackupError):
        verify_backup(place)
    with pytest.raises(BackupError):
        restore_backup(place, load_settings(home=tmp_path / "new"))
    assert objects_of(tmp_path / "new") == []


def test_damage_in_a_folder_is_found(home: Settings, tmp_path: Path) -> None:
    fill(home).catalog.close()
    place = tmp_path / "backups"
    make_backup(home, place)
    victim = max(
        (place / "objects").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0
    )
    good = victim.read_bytes()
    victim.write_bytes(_flip(good))  # of the same length, as disks rot
    with pytest.raises(BackupError, match="put aside: make a backup now"):
        verify_backup(place)
    with pytest.raises(BackupError, match="lacks"):
        verify_backup(place)
    old = next((place / "backups").glob("*.json"))
    make_backup(home, place)
    assert victim.read_bytes() == good
    verify_backup(old)
    victim.unlink()
    prune_backups(place, keep=1)
    assert not list((place / "objects").rglob("*.damaged"))
    (manifest,) = (place / "backups").glob("*.json")
    manifest.write_bytes(_flip(manifest.read_bytes()))
    with pytest.raises(BackupError):
        verify_backup(place)


def _tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    import pyarrow as pa

    with (
        pa.OSFile(str(path), "wb") as raw,
        pa.CompressedOutputStream(raw, "zstd") as stream,
        tarfile.open(fileobj=stream, mode="w|") as tar,
    ):
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "blobs/../../escaped", "blobs/1/x", "blobs/a"])
@pytest.mark.parametrize(
    "kind", [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE]
)
def test_members_that_lead_elsewhere_are_refused(
    home: Settings, tmp_path: Path, name: str, kind: bytes
) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    _tar(tmp_path / "bad.tar.zst", [(member, b"x" if kind == tarfile.REGTYPE else b"")])
    with pytest.raises(BackupError, match="which no backup of ours does"):
        restore_backup(tmp_path / "bad.tar.zst", load_settings(home=tmp_path / "deep" / "new"))
    assert objects_of(tmp_path / "deep") == []


@pytest.mark.parametrize(
    "path", ["../escaped", "/escaped", "store/../../escaped", "", "a//b", "./a", ".partial/x", "a\0"]
)
def test_a_manifest_that_names_what_lies_outside_is_refused(path: str) -> None:
    content = Manifest("2026-04-01T05:00:00Z", "1", "0005", {}).to_bytes()
    outer = json.loads(content)
    outer["content"]["entries"] = [
        {"path": path, "blob": "0", "sha256": "0" * 64, "size_bytes": 0, "mode": 0o600, "mtime_ns": 0}
    ]
    import hashlib

    text = json.dumps(outer["content"], sort_keys=True, ensure_ascii=True)
    outer["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    with pytest.raises(BackupError, match="outside"):
        Manifest.from_bytes(json.dumps(outer).encode(), "x")
