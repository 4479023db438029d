"""Stretches of the archive: the detections with the least scores, their audio, and nobody's label."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.support.small_site import TrainedHome
from tidzam_platform.archive import index_archive
from tidzam_platform.catalog.tables import Recording
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.file_changes import merge_day
from tidzam_platform.home import Home
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.statement import Statement
from tidzam_platform.labels.targets import DetectionTarget
from tidzam_platform.learning import rank_clips, read_queue
from tidzam_platform.learning.archive_windows import archive_windows
from tidzam_platform.settings import Settings


@pytest.fixture
def heard(trained_copy: TrainedHome) -> tuple[Home, list[Detection]]:
    """A home with four detections of generation 1 in one recording of its archive."""
    home = Home.open(Settings(home=trained_copy.folder))
    index_archive(home.catalog, trained_copy.site.archive_folder)
    with home.catalog.reading() as session:
        recording = session.scalars(select(Recording).order_by(Recording.start).limit(1)).one()
    made = [
        Detection(
            id=f"{number:024x}",
            generation=1,
            channel=f"{recording.source.name}:out_{1 + number % 2}",
            start=recording.start + timedelta(seconds=2 * number),
            end=recording.start + timedelta(seconds=2 * number + 1.5),
            class_path="birds-chiffchaff",
            score=0.9 - 0.1 * number,
        )
        for number in range(4)
    ]
    merge_day(home.catalog, home.store, 1, recording.source_id, recording.start.date(), made)
    return home, made


def test_the_least_sure_come_with_their_audio(heard: tuple[Home, list[Detection]]) -> None:
    home, made = heard
    windows = archive_windows(home.catalog, home.store, FrontEnd(), 3)
    assert [window.detection.id for window in windows] == [one.id for one in (made[3], made[2], made[1])]
    for window in windows:
        assert len(window.features.log_mel) >= FrontEnd().patch_frames
        assert window.features.offsets
    assert archive_windows(home.catalog, home.store, FrontEnd(), 0) == []


def test_they_stand_in_the_queue_until_somebody_labels_them(heard: tuple[Home, list[Detection]]) -> None:
    home, made = heard
    report = rank_clips(home, 1)
    assert report.archive_windows == 4
    stretches = [entry for entry in read_queue(home.catalog) if entry.clip_id is None]
    assert len(stretches) == 4
    assert stretches[0].seconds == pytest.approx(1.5)
    assert stretches[0].item == f"{stretches[0].channel}@{stretches[0].as_dict()['start']}"
    target = DetectionTarget(made[3])
    annotate(home.catalog, target, [Statement("weather-rain")], annotator="ann", tool="test")
    left = [entry.start for entry in read_queue(home.catalog) if entry.clip_id is None]
    assert made[3].start not in left
    assert len(left) == 3


def test_a_recording_that_is_gone_is_passed_over(heard: tuple[Home, list[Detection]], tmp_path: Path) -> None:
    home, _ = heard
    with home.catalog.session() as session:
        for recording in session.scalars(select(Recording)):
            recording.path = str(tmp_path / f"gone-{recording.id}.opus")
    assert archive_windows(home.catalog, home.store, FrontEnd(), 3) == []
