"""Clips that nobody has labelled go for want of space, the oldest first; a labelled one never."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.clips.made import NOON, metadata, record, say, supersede
from tests.support.parts import require_part
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Clip, Group
from tidzam_platform.clips.counting import unlabelled_bytes
from tidzam_platform.clips.objects import fingerprint_key
from tidzam_platform.clips.removal import RemovalJournal, finish_removals, remove_oldest_unlabelled
from tidzam_platform.datasets.near_copies import kept_fingerprint
from tidzam_platform.store import LocalStore


@pytest.fixture(autouse=True)
def _ffmpeg() -> None:
    require_part("ffmpeg")


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def journal(tmp_path: Path) -> RemovalJournal:
    return RemovalJournal(tmp_path / "spool" / "removals")


def five(catalog: Catalog, store: LocalStore, folder: Path) -> list[int]:
    """Five clips that were compared with others."""
    clips = [record(catalog, store, folder / "spool", metadata(at_s=n), seed=n) for n in range(5)]
    with catalog.reading() as session:
        for clip in session.scalars(select(Clip)):
            kept_fingerprint(store, clip)
    return [clip.id for clip in clips]


def left(catalog: Catalog, store: LocalStore) -> list[int]:
    """Numbers of the clips; every one has its objects, and no object is left over."""
    with catalog.reading() as session:
        rows = session.execute(select(Clip.id, Clip.sha256, Clip.store_key).order_by(Clip.id)).all()
    assert sorted(row.store_key for row in rows) == list(store.keys("clips/"))
    assert sorted(fingerprint_key(row.sha256) for row in rows) == list(store.keys("fingerprints/"))
    return [row.id for row in rows]


def test_the_oldest_go_first_and_labelled_ones_stay(
    catalog: Catalog, store: LocalStore, journal: RemovalJournal, tmp_path: Path
) -> None:
    ids = five(catalog, store, tmp_path)
    say(catalog, ids[0], "birds-robin")
    refuted = say(catalog, ids[2], "birds-robin", "absent")
    supersede(catalog, refuted, say(catalog, ids[2], "rain", "unsure"))
    before = unlabelled_bytes(catalog)
    one = before // 3  # all are alike
    removal = remove_oldest_unlabelled(catalog, store, journal, one + 1000)
    assert (removal.clips, removal.freed_bytes) == (2, before - unlabelled_bytes(catalog))
    assert left(catalog, store) == [ids[0], ids[2], ids[4]]
    remove_oldest_unlabelled(catalog, store, journal, 1)
    assert left(catalog, store) == [ids[0], ids[2]]
    assert remove_oldest_unlabelled(catalog, store, journal, 1).clips == 0


def test_imported_clips_are_not_touched(catalog: Catalog, store: LocalStore, journal: RemovalJournal) -> None:
    with catalog.session() as session:
        session.add(
            Clip(
                sha256="a" * 64,
                store_key="clips/aa/x.flac",
                codec="flac",
                rate_hz=8000,
                channels=1,
                seconds=1.0,
                group=Group(key="import/x"),
                origin={},
                added_at=NOON,
            )
        )
    assert remove_oldest_unlabelled(catalog, store, journal, 1000).clips == 0


@pytest.mark.parametrize(
    "point", ["clips.removal_noted", "clips.row_removed", "clips.row_removed:2", "clips.object_removed"]
)
def test_a_removal_that_was_killed_leaves_no_clip_without_its_object_nor_the_other_way(
    tmp_path: Path, point: str
) -> None:
    catalog, store = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}"), LocalStore(tmp_path / "store")
    ids = five(catalog, store, tmp_path)
    killed = subprocess.run(
        [sys.executable, "-m", "tests.clips.recording_process", str(tmp_path), "remove", "15000"],
        env={**os.environ, "TIDZAM_CRASH_AT": point},
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    finish_removals(catalog, store, RemovalJournal(tmp_path / "spool" / "removals"))
    removed = {"clips.removal_noted": 0, "clips.row_removed": 1}.get(point, 2)
    assert left(catalog, store) == ids[removed:]
    assert finish_removals(catalog, store, RemovalJournal(tmp_path / "spool" / "removals")) == 0
    catalog.close()


def test_a_journal_that_was_cut_says_nothing(tmp_path: Path) -> None:
    journal = RemovalJournal(tmp_path / "removals")
    assert journal.read() == []
    keys = [f"clips/ab/{number:064x}.flac" for number in range(16)]
    journal.write(keys)
    assert journal.read() == keys
    journal.write([])
    assert journal.read() == []
    journal.write(keys)
    whole = (tmp_path / "removals").read_bytes()
    (tmp_path / "removals").write_bytes(whole[:200] + b"\0" * (len(whole) - 200))
    assert journal.read() == []
    (tmp_path / "removals").write_bytes(os.urandom(len(whole)))
    assert RemovalJournal(tmp_path / "removals").read() == []
