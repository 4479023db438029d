"""Recordings of ours come into the catalog with their exact times, by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from streamer.engine.recording import ArchiveIndexer, ArchiveRecorder, plan_of
from streamer.engine.rings import RingFolder, SourceRing
from streamer.engine.sources.specification import SourceSpecification
from tests.archive.made import rows
from tests.streamer.recording.made import RATE_HZ, Played
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.catalog import Catalog
from tidzam_platform.errors import SourceError
from tidzam_platform.settings import Settings

BEGAN_NS = 1_793_059_195_250_000_000  # 2026-10-26 (winter time), 59:55.25 of an hour


def test_a_recording_is_indexed_when_it_is_finished_with_its_start_to_the_microsecond(home: Settings) -> None:
    require_part("ffmpeg")
    specification = SourceSpecification(
        name="marsh", url="http://a.example/", record=True, zone="Europe/Paris", database_file_length=60
    )
    plan = plan_of(specification, home)
    assert plan.folder == home.archive_folder / "marsh"
    indexer = ArchiveIndexer(home, settle_s=0.1)
    indexer.start()
    with RingFolder(home.home) as rings, SourceRing.create(rings, "marsh", 2, seconds=4) as ring:
        ring.set_anchor(BEGAN_NS)
        recorder = ArchiveRecorder(
            ring, plan, on_finished=lambda _path: indexer.add(plan.folder, plan.zone.key)
        )
        recorder.start()
        Played(ring).send(np.zeros((7 * RATE_HZ, 2), np.float32), recorder)
        assert recorder.stop()
    wait_for(
        lambda: indexer.counts()["index_runs"] > 0 and indexer.counts()["index_due"] == 0, "it is indexed"
    )
    assert indexer.stop()
    assert indexer.problem == ""
    catalog = Catalog.open(home.catalog_url)
    found = rows(catalog)
    catalog.close()
    began = datetime.fromtimestamp(BEGAN_NS // 10**9, UTC) + timedelta(milliseconds=250)
    local = began + timedelta(hours=1)
    first, second = (found[name] for name in sorted(found))
    assert Path(first.path).name == f"marsh-{local:%Y-%m-%d-%H-%M-%S}.opus"
    assert (first.start, first.end, second.start) == (
        began,
        second.start,
        began.replace(microsecond=0) + timedelta(seconds=5),
    )
    assert second.end == began + timedelta(seconds=7)
    assert (first.warning, second.warning, first.truncated) == (None, None, False)


def test_a_catalog_that_cannot_be_opened_is_said_and_tried_again(home: Settings) -> None:
    (home.home / "catalog.db").mkdir()
    folder = home.archive_folder
    folder.mkdir()
    indexer = ArchiveIndexer(home, settle_s=0.01)
    indexer.start()
    indexer.add(folder, "UTC")
    wait_for(lambda: indexer.counts()["index_failures"] == 1, "it fails")
    assert "is not indexed" in indexer.problem
    assert indexer.counts()["index_due"] == 1
    assert indexer.stop()


def test_recordings_outside_of_the_archive_are_refused(home: Settings) -> None:
    specification = SourceSpecification(
        name="marsh", url="http://a.example/", record=True, path_database=Path("/etc")
    )
    with pytest.raises(SourceError, match="outside of the archive"):
        plan_of(specification, home)
