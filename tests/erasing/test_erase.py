"""Audio of people goes from recordings and clips; the catalog, the audit and whoever reads know it."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from tests.audio.made import encode, noise
from tests.clips.made import metadata, record, rule
from tests.detections.made import heard, keep_in_files
from tests.erasing.versions import replace_version
from tests.support.crash import run_and_crash
from tests.support.in_process import run_here
from tests.support.parts import require_part
from tests.support.small_site import last_line
from tidzam_platform.archive import index_archive
from tidzam_platform.audio import read_audio
from tidzam_platform.catalog.tables import (
    Annotation,
    AuditEntry,
    Clip,
    DatasetVersion,
    Recording,
    TaxonomyChange,
)
from tidzam_platform.clips.objects import fingerprint_key
from tidzam_platform.clock import utc_now
from tidzam_platform.datasets.build import load_manifest
from tidzam_platform.datasets.manifest import Manifest, ManifestRow
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.erasing import ErasingRequest, erase, plan_erasing
from tidzam_platform.errors import QueryError, SettingsError
from tidzam_platform.files import sha256_of_file
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
AN_HOUR = ErasingRequest("human", "marsh", NOON - timedelta(hours=1), NOON + timedelta(hours=1))
RANGE = ("--from", "2026-04-01T11:00:00Z", "--to", "2026-04-01T13:00:00Z")


@pytest.fixture
def filled(home: Settings) -> Home:
    """Two recordings; somebody speaks at 4 s (a live detection) and at 12 s (in a file); clips at 4 s and at 8 s."""
    require_part("ffmpeg")
    opened = Home.open(home)
    home.archive_folder.mkdir()
    for number in range(2):
        name = f"marsh-2026-04-01-12-00-{number * 10:02d}.opus"
        encode(noise(10.0, channels=2, seed=number), home.archive_folder / name, "opus")
    index_archive(opened.catalog, home.archive_folder, locks_folder=home.locks_folder)
    keep_in_files(
        opened.catalog,
        opened.store,
        [
            heard(12, class_path="human-speech"),
            heard(8, class_path="birds"),
            heard(3, channel="pond:out_1", class_path="human"),
        ],
    )
    empty = Manifest.of([])  # keep_in_files names a version that nobody could read
    opened.store.put_bytes("k", empty.to_parquet())
    with opened.catalog.session() as session:
        replace_version(session, "v", empty.version, "k")
    LiveDetections(opened.catalog).add([heard(4, class_path="human", channel="marsh:out_2")])
    rule(opened.catalog)
    for at in (4, 8):
        made = record(
            opened.catalog,
            opened.store,
            home.home / "spool",
            metadata("birds", at_s=at),
            frames=48000,
            seed=at,
        )
        with opened.catalog.session() as session:
            session.add(
                Annotation(
                    clip_id=made.id, class_path="birds", annotator="ann", tool="test", made_at=utc_now()
                )
            )
    return opened


def _recordings(home: Home) -> list[Recording]:
    with home.catalog.reading() as session:
        return list(session.scalars(select(Recording).order_by(Recording.start)))


def test_a_plan_changes_nothing_and_names_all_that_holds_it(filled: Home) -> None:
    before = [sha256_of_file(Path(row.path)) for row in _recordings(filled)]
    plan = plan_erasing(filled, AN_HOUR)
    assert plan.detections == 2
    assert [part.spans for part in plan.recordings] == [((3.0, 6.5),), ((1.0, 4.5),)]
    assert len(plan.clips) == 1
    assert [sha256_of_file(Path(row.path)) for row in _recordings(filled)] == before
    filled.catalog.close()


@pytest.mark.parametrize("asked", ["human", "people"])
def test_what_was_heard_by_an_earlier_or_a_later_name_is_erased_too(filled: Home, asked: str) -> None:
    with filled.catalog.session() as session:
        mapping = {"human": ["people"], "human-speech": ["people-speech"]}
        session.add(
            TaxonomyChange(
                version=1, mapping=mapping, reason="a better name", made_by="ann", made_at=utc_now()
            )
        )
    plan = plan_erasing(filled, replace(AN_HOUR, class_path=asked))
    assert plan.detections == 2
    assert [part.spans for part in plan.recordings] == [((3.0, 6.5),), ((1.0, 4.5),)]
    filled.catalog.close()


def test_erased_audio_is_silence_that_the_index_knows_as_a_hole(filled: Home) -> None:
    report = erase(filled, plan_erasing(filled, AN_HOUR), by="ann", reason="asked for")
    assert report.failed == []
    assert report.seconds == pytest.approx(7.0)
    for row, (start_s, end_s) in zip(_recordings(filled), [(3.0, 6.5), (1.0, 4.5)], strict=True):
        samples = read_audio(Path(row.path), max_s=60)
        assert np.abs(samples[:, round(start_s * 48000) : round(end_s * 48000)]).max() < 1e-4
        assert np.abs(samples[:, round((end_s + 1) * 48000) :]).max() > 0.05
        assert row.sha256 == sha256_of_file(Path(row.path))
        (hole,) = row.holes
        assert hole[0] <= start_s < end_s <= hole[1]
        assert hole[1] - hole[0] < end_s - start_s + 0.2
    assert plan_erasing(filled, AN_HOUR).recordings == []
    # Whoever indexes the folder anew, knowing nothing, knows it too.
    known = {row.path: row.holes for row in _recordings(filled)}
    for row in _recordings(filled):
        Path(row.path).touch()
    index_archive(filled.catalog, filled.settings.archive_folder, locks_folder=filled.settings.locks_folder)
    for row in _recordings(filled):
        assert np.allclose(row.holes, known[row.path], atol=1e-5)
    filled.catalog.close()


def test_clips_go_what_was_said_of_them_stays_and_the_audit_has_it_all(filled: Home) -> None:
    plan = plan_erasing(filled, AN_HOUR)
    (gone,) = plan.clips
    copies = [
        filled.settings.home / "cache" / name
        for name in (f"variants/a/{gone.sha256}-0.npz", f"learning/a/{gone.sha256}.npz", "store/x/copy")
    ]
    for copy in copies:
        copy.parent.mkdir(parents=True)
        copy.touch()
    filled.store.put_bytes(fingerprint_key(gone.sha256), b"what tells near copies")
    erase(filled, plan, by="ann", reason="asked for by a neighbour")
    assert not filled.store.exists(gone.store_key)
    assert not filled.store.exists(fingerprint_key(gone.sha256))
    assert not any(copy.exists() for copy in copies)
    with filled.catalog.reading() as session:
        assert gone.id not in session.scalars(select(Clip.id)).all()
        said = session.scalars(select(Annotation).order_by(Annotation.id)).all()
        assert [one.class_path for one in said] == ["birds", "birds"]
        assert (said[0].clip_id, said[0].channel, said[0].start) == (
            None,
            "marsh:out_1",
            NOON + timedelta(seconds=4),
        )
        (entry,) = session.scalars(select(AuditEntry)).all()
    assert (entry.action, entry.by, entry.reason) == ("audio.erase", "ann", "asked for by a neighbour")
    assert entry.details["clips"] == [gone.sha256]
    assert len(entry.details["recordings"]) == 2
    assert entry.details["source"] == "marsh"
    filled.catalog.close()


def test_clips_of_a_dataset_version_go_only_when_asked_for_and_the_version_says_so(
    filled: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with filled.catalog.session() as session:
        clips = session.scalars(select(Clip)).unique().all()
        manifest = Manifest.of(
            ManifestRow(clip.sha256, "birds", "present", None, None, "g", "train", 1.0, clip.store_key)
            for clip in clips
        )
        filled.store.put_bytes("m.parquet", manifest.to_parquet())
        session.add(
            DatasetVersion(
                version=manifest.version, store_key="m.parquet", clips=2, summary={}, made_at=utc_now()
            )
        )
    plan = plan_erasing(filled, AN_HOUR)
    assert (len(plan.clips), len(plan.kept_clips)) == (0, 1)
    asked = ErasingRequest(
        AN_HOUR.class_path, AN_HOUR.source, AN_HOUR.since, AN_HOUR.until, dataset_clips=True
    )
    report = erase(filled, plan_erasing(filled, asked), by="ann", reason="asked for")
    assert report.versions == [manifest.version]
    with caplog.at_level(logging.WARNING):
        assert load_manifest(filled.catalog, filled.store, manifest.version) == manifest
    assert f"1 of the 2 clips of dataset version {manifest.version} were erased" in caplog.text
    filled.catalog.close()


def test_what_makes_no_sense_is_refused(filled: Home) -> None:
    with pytest.raises(QueryError):
        ErasingRequest("human", "marsh", NOON, NOON)
    with pytest.raises(QueryError):
        ErasingRequest("human", "marsh", NOON.replace(tzinfo=None), NOON)
    with pytest.raises(SettingsError, match="why"):
        erase(filled, plan_erasing(filled, AN_HOUR), by="ann", reason=" ")
    filled.catalog.close()


@pytest.mark.parametrize(
    "point", ["erasing.file", "erasing.row", "retention.clip_row", "retention.clips_noted"]
)
def test_an_erasing_that_was_killed_is_completed_by_the_next_one(filled: Home, point: str) -> None:
    arguments = ["erase", "--source", "marsh", *RANGE, "--apply", "--reason", "asked for"]
    run_and_crash(arguments, point, filled.settings.home)
    done = run_here([*arguments, "--json"], filled.settings.home)
    assert done.returncode == 0, done.stderr
    assert last_line(done.stdout)["erased"]["failed"] == []
    left = last_line(run_here(["erase", "--source", "marsh", *RANGE, "--json"], filled.settings.home).stdout)
    assert (left["recordings"], left["clips"]) == ([], [])
    with filled.catalog.reading() as session:
        named = set(session.scalars(select(Clip.store_key)))
        audited = [
            row["path"] for e in session.scalars(select(AuditEntry)) for row in e.details["recordings"]
        ]
    assert {key for key in filled.store.keys() if key.startswith("clips/")} == named  # noqa: SIM118
    assert set(audited) == {row.path for row in _recordings(filled)}
    for row in _recordings(filled):
        assert row.sha256 == sha256_of_file(Path(row.path))
        assert row.holes
    filled.catalog.close()
