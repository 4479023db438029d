"""Questions about annotations: filters, pages, and what stands."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.detections.made import NOON, heard
from tests.labels.made import make_clip, make_recording
from tidzam_platform.catalog import Catalog
from tidzam_platform.errors import InvalidNameError, QueryError
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.listing import (
    AnnotationQuery,
    annotation_object,
    find_annotations,
    standing_on_detections,
)
from tidzam_platform.labels.statement import Statement
from tidzam_platform.labels.targets import ClipTarget, DetectionTarget, RecordingTarget


@pytest.fixture
def numbers(catalog: Catalog) -> dict[str, int]:
    """A clip, a detection and a recording, each with a label; one of the clip's is superseded."""
    clip, recording = make_clip(catalog), make_recording(catalog)
    who = {"annotator": "anna", "tool": "web"}
    annotate(catalog, ClipTarget(clip), [Statement("birds-crow")], **who)
    annotate(catalog, ClipTarget(clip), [Statement("birds-crow", "absent")], **who)
    annotate(catalog, DetectionTarget(heard(100)), [Statement("birds")], annotator="bo", tool="web")
    annotate(catalog, RecordingTarget(recording, 1), [Statement("birds_of_prey", "present", 10, 11)], **who)
    return {"clip": clip, "recording": recording}


def test_each_filter_narrows_down(catalog: Catalog, numbers: dict[str, int]) -> None:
    def found(**given: Any) -> list[int]:
        return [row.id for row in find_annotations(catalog, AnnotationQuery(**given))]

    crow, refuted, birds, prey = found(standing_only=False)
    assert found() == [refuted, birds, prey]
    assert found(clip_id=numbers["clip"]) == [refuted]
    assert found(recording_id=numbers["recording"]) == [prey]
    assert found(detection_id=heard(100).id) == [birds]
    assert found(annotator="bo") == [birds]
    assert found(classes=("birds",)) == [refuted, birds], "birds_of_prey is no bird by its path"
    assert found(classes=("birds-crow", "birds_of_prey"), standing_only=False) == [crow, refuted, prey]
    assert found(verdict="absent") == [refuted]
    assert found(channel="marsh:out_1") == [birds, prey]
    assert found(since=NOON + timedelta(seconds=11)) == [birds]
    assert found(until=NOON + timedelta(seconds=100)) == [prey]
    assert found(since=NOON, until=NOON + timedelta(seconds=500)) == [birds, prey]


def test_pages_go_on_behind_a_number(catalog: Catalog, numbers: dict[str, int]) -> None:
    everything = [row.id for row in find_annotations(catalog, AnnotationQuery())]
    paged: list[int] = []
    while page := find_annotations(catalog, AnnotationQuery(), limit=2, after_id=max(paged, default=0)):
        paged += [row.id for row in page]
    assert paged == everything
    with pytest.raises(QueryError):
        find_annotations(catalog, AnnotationQuery(), limit=0)


def test_a_question_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(QueryError, match="no time zone"):
        AnnotationQuery(since=datetime(2026, 4, 1))  # noqa: DTZ001
    with pytest.raises(QueryError, match="no verdict"):
        AnnotationQuery(verdict="maybe")
    with pytest.raises(InvalidNameError):
        AnnotationQuery(classes=("%",))


def test_what_stands_of_detections_is_looked_up_at_once(catalog: Catalog, numbers: dict[str, int]) -> None:
    wanted = [heard(second).id for second in range(90, 700)]
    assert {
        identity: [row.class_path for row in rows]
        for identity, rows in standing_on_detections(catalog, wanted).items()
    } == {heard(100).id: ["birds"]}
    assert standing_on_detections(catalog, []) == {}


def test_an_annotation_is_json(catalog: Catalog, numbers: dict[str, int]) -> None:
    rows = [annotation_object(row) for row in find_annotations(catalog, AnnotationQuery(standing_only=False))]
    assert json.loads(json.dumps(rows)) == rows
    crow, refuted, _, prey = rows
    assert (crow["clip"], crow["superseded_by"], refuted["verdict"]) == (
        numbers["clip"],
        refuted["id"],
        "absent",
    )
    assert (prey["start"], prey["end"]) == ("2026-04-01T12:00:10.000Z", "2026-04-01T12:00:11.000Z")
    assert (prey["start_s"], prey["end_s"], prey["channel"]) == (10.0, 11.0, "marsh:out_1")
