"""What is said of detections and recordings trains nothing; what is said of clips elsewhere does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.detections.made import heard
from tests.labels.made import make_clip, make_recording
from tidzam_platform.audio import write_audio
from tidzam_platform.catalog import Catalog
from tidzam_platform.datasets.build import build_dataset, load_manifest
from tidzam_platform.datasets.importer import import_labels, read_labels
from tidzam_platform.errors import DatasetError
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.statement import Statement
from tidzam_platform.labels.targets import ClipTarget, DetectionTarget, RecordingTarget
from tidzam_platform.store import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def test_an_annotation_without_a_clip_is_no_training_example(catalog: Catalog, store: LocalStore) -> None:
    crow = [Statement("birds-crow")]
    annotate(catalog, DetectionTarget(heard()), crow, annotator="anna", tool="web")
    annotate(catalog, RecordingTarget(make_recording(catalog), 1), crow, annotator="anna", tool="web")
    with pytest.raises(DatasetError, match="no labelled clips"):
        build_dataset(catalog, store)
    annotate(catalog, ClipTarget(make_clip(catalog)), crow, annotator="anna", tool="web")
    made = build_dataset(catalog, store)
    assert made.clips == 1
    assert [row.class_path for row in load_manifest(catalog, store, made.version).rows] == ["birds-crow"]


def test_a_clip_corrected_elsewhere_stays_corrected_when_the_labels_are_imported_again(
    catalog: Catalog, store: LocalStore, tmp_path: Path
) -> None:
    import numpy as np

    from tests.support.parts import require_part

    require_part("ffmpeg")
    audio = np.random.default_rng(1).standard_normal((1, 4_800)).astype(np.float32) * 0.1
    write_audio(tmp_path / "a.flac", audio, 24_000, codec="flac")
    (tmp_path / "labels.csv").write_text("file,label,parent\na.flac,robin,birds\n")
    entries = read_labels(tmp_path / "labels.csv")
    import_labels(catalog, store, entries, annotator="anna")
    annotate(
        catalog, ClipTarget(1), [Statement("birds-wren")], annotator="anna", tool="web", replaces="stretch"
    )
    report = import_labels(catalog, store, entries, annotator="anna")
    assert (report.added, report.relabelled, report.skipped) == (0, 0, 1)
    version = build_dataset(catalog, store).version
    assert [row.class_path for row in load_manifest(catalog, store, version).rows] == ["birds-wren"]
