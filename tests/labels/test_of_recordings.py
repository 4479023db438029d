"""Labels of recordings whose rows change: they go with them, and outlive them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from tests.archive.made import make_recording
from tidzam_platform.archive import index_archive
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Recording
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.listing import AnnotationQuery, find_annotations
from tidzam_platform.labels.statement import Statement
from tidzam_platform.labels.targets import RecordingTarget

NAME = "marsh-2026-04-01-12-00-00.wav"


def only_label(catalog: Catalog) -> Annotation:
    (row,) = find_annotations(catalog, AnnotationQuery())
    return row


def label(catalog: Catalog, folder: Path) -> None:
    make_recording(folder, NAME, seconds=3.0)
    index_archive(catalog, folder)
    with catalog.reading() as session:
        number = session.scalars(select(Recording.id)).one()
    statement = Statement("birds", "present", 1.0, 2.0)
    annotate(catalog, RecordingTarget(number, 1), [statement], annotator="anna", tool="web")


def test_a_label_follows_the_clock_of_its_recording(catalog: Catalog, tmp_path: Path) -> None:
    label(catalog, tmp_path)
    assert only_label(catalog).start == datetime(2026, 4, 1, 12, 0, 1, tzinfo=UTC)
    index_archive(catalog, tmp_path, time_zone="Europe/Paris", rezone=True)
    row = only_label(catalog)
    assert (row.start, row.end) == (
        datetime(2026, 4, 1, 10, 0, 1, tzinfo=UTC),
        datetime(2026, 4, 1, 10, 0, 2, tzinfo=UTC),
    )
    assert (row.start_s, row.end_s) == (1.0, 2.0)


def test_a_label_follows_a_file_that_was_renamed(catalog: Catalog, tmp_path: Path) -> None:
    label(catalog, tmp_path)
    (tmp_path / NAME).rename(tmp_path / "pond-2026-04-02-12-00-00.wav")
    index_archive(catalog, tmp_path)
    row = only_label(catalog)
    assert (row.channel, row.start) == ("pond:out_1", datetime(2026, 4, 2, 12, 0, 1, tzinfo=UTC))


def test_a_label_outlives_its_recording(catalog: Catalog, tmp_path: Path) -> None:
    label(catalog, tmp_path)
    (tmp_path / NAME).unlink()
    report = index_archive(catalog, tmp_path, allow_empty=True)
    assert report.removed == 1
    row = only_label(catalog)
    assert (row.recording_id, row.channel) == (None, "marsh:out_1")
    assert row.start == datetime(2026, 4, 1, 12, 0, 1, tzinfo=UTC)
