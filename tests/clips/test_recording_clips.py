"""A clip is in store and catalog once and whole, wherever the process that brought it there ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import func, select

from tests.clips.made import GROUP_S, metadata, noise16, record, rule
from tests.support.parts import require_part
from tidzam_platform.audio import read_audio
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Clip
from tidzam_platform.clips.recording_clips import (
    clip_bytes,
    group_key,
    record_clip,
    recover_clips,
    spool_clip,
)
from tidzam_platform.errors import DecodingError, StoreError
from tidzam_platform.files import PARTIAL_FOLDER
from tidzam_platform.store import LocalStore


@pytest.fixture(autouse=True)
def _ffmpeg() -> None:
    require_part("ffmpeg")


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def number_of_clips(catalog: Catalog) -> int:
    with catalog.reading() as session:
        return session.scalar(select(func.count()).select_from(Clip)) or 0


def test_a_clip_is_in_store_and_catalog_and_no_more_in_the_spool(
    catalog: Catalog, store: LocalStore, tmp_path: Path
) -> None:
    kept_by = rule(catalog, classes="birds")
    about = metadata("birds-robin", rule_id=kept_by.id)
    made = record(catalog, store, tmp_path / "spool", about)
    assert made.is_new
    assert made.metadata == about
    with catalog.reading() as session:
        clip = session.get_one(Clip, made.id)
        assert clip.group.key == "live/marsh/2026-04-01T12:00:00Z"
    assert (clip.channel, clip.class_path, clip.score) == ("marsh:out_1", "birds-robin", 0.7)
    assert (clip.start, clip.generation, clip.rule_id) == (about.start, 3, kept_by.id)
    assert (clip.codec, clip.rate_hz, clip.channels, clip.seconds) == ("flac", 48_000, 1, 0.1)
    assert clip.origin["bytes"] == store.size_bytes(clip.store_key)
    with store.as_file(clip.store_key) as file:
        assert (read_audio(file)[0] * 32768 == noise16(4800)).all()
    assert not list((tmp_path / "spool").glob("*.flac"))


def test_the_same_clip_again_adds_nothing(catalog: Catalog, store: LocalStore, tmp_path: Path) -> None:
    first, again = (record(catalog, store, tmp_path / "spool", metadata()) for _ in range(2))
    assert (first.id, first.is_new, again.is_new) == (again.id, True, False)
    assert number_of_clips(catalog) == 1


def test_clips_of_a_block_of_time_are_one_group_over_all_channels() -> None:
    keys = [
        group_key(metadata(channel=channel, at_s=at_s), GROUP_S)
        for channel, at_s in (
            ("marsh:out_1", 0),
            ("marsh:out_2", 599.9),
            ("marsh:out_1", 600),
            ("pond:out_1", 0),
        )
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_clips_of_a_new_group_that_come_at_once_are_all_recorded(
    catalog: Catalog, store: LocalStore, tmp_path: Path
) -> None:
    together = Barrier(4)

    def one(number: int) -> int:
        seed = min(number, 2)  # two of them are the same
        path = spool_clip(tmp_path / f"spool-{number}", clip_bytes(noise16(480, seed), metadata()))
        together.wait(20)
        return record_clip(catalog, store, path, group_s=GROUP_S).id

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(one, range(4)))
    assert len(set(made)) == 3
    with catalog.reading() as session:
        assert len(set(session.scalars(select(Clip.group_id)))) == 1


def test_a_clip_of_a_rule_that_this_catalog_does_not_know_is_kept(
    catalog: Catalog, store: LocalStore, tmp_path: Path
) -> None:
    made = record(catalog, store, tmp_path / "spool", metadata(rule_id=77))
    with catalog.reading() as session:
        clip = session.get_one(Clip, made.id)
    assert (clip.rule_id, clip.origin["rule"]) == (None, 77)


def test_while_the_store_fails_clips_stay_in_the_spool(
    catalog: Catalog, store: LocalStore, tmp_path: Path
) -> None:
    paths = [spool_clip(tmp_path / "spool", clip_bytes(noise16(480, seed), metadata())) for seed in range(3)]
    (tmp_path / "store" / "clips").write_text("in the way")
    with pytest.raises(StoreError):
        record_clip(catalog, store, paths[0], group_s=GROUP_S)
    failed = recover_clips(catalog, store, tmp_path / "spool", group_s=GROUP_S)
    assert failed.recorded == []
    assert isinstance(failed.error, StoreError)
    (tmp_path / "store" / "clips").unlink()
    assert len(recover_clips(catalog, store, tmp_path / "spool", group_s=GROUP_S, most=2).recorded) == 2
    assert len(recover_clips(catalog, store, tmp_path / "spool", group_s=GROUP_S).recorded) == 1
    assert number_of_clips(catalog) == 3


def test_a_damaged_file_is_put_aside_and_the_others_are_recorded(
    catalog: Catalog, store: LocalStore, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    damaged, good = (spool_clip(spool, clip_bytes(noise16(480, seed), metadata())) for seed in range(2))
    damaged.write_bytes(damaged.read_bytes()[:-10])
    with pytest.raises(DecodingError):
        record_clip(catalog, store, damaged, group_s=GROUP_S)
    recovery = recover_clips(catalog, store, spool, group_s=GROUP_S)
    assert [clip.sha256 for clip in recovery.recorded] == [good.stem]
    assert [path.name for path in recovery.damaged] == [damaged.name]
    assert recovery.damaged[0].exists()
    assert not list(spool.glob("*.flac"))


@pytest.mark.parametrize(
    "point",
    ["files.written", "files.renamed", "clips.spooled", "clips.stored", "clips.recorded", "clips.done"],
)
def test_killed_anywhere_it_is_completed_at_the_next_start(tmp_path: Path, point: str) -> None:
    killed = subprocess.run(
        [sys.executable, "-m", "tests.clips.recording_process", str(tmp_path), "record"],
        env={**os.environ, "TIDZAM_CRASH_AT": point},
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    catalog, store = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}"), LocalStore(tmp_path / "store")
    recovery = recover_clips(catalog, store, tmp_path / "spool", group_s=GROUP_S)
    whole = int(point != "files.written")  # before that there was no whole file
    assert number_of_clips(catalog) == len(list(store.keys("clips/"))) == whole
    assert recovery.unfinished == 1 - whole
    assert not list((tmp_path / "spool").glob("*.flac"))
    assert not list((tmp_path / "spool" / PARTIAL_FOLDER).glob("*"))
    catalog.close()
