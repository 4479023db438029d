"""Reprocessing hears what ``hear_file`` hears, in any file; a file that is not the indexed one is not heard."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest

from serving.analysis import hear_file
from serving.companion import Companion
from serving.local import open_generation
from serving.reprocessing import plan
from serving.reprocessing.continuous import hear_continuously
from serving.reprocessing.hearing import hear_and_store, hear_item
from serving.reprocessing.items import RecordingItem, WorkerTask
from serving.reprocessing.parts import Parts, parts_prefix
from tests.serving.reprocessing.conftest import SOURCE, Site, without_pages
from tests.support.data import shared_data
from tidzam_platform.audio import probe, read_audio, write_audio
from tidzam_platform.classifiers.events import Event
from tidzam_platform.detections.detection import is_detection
from tidzam_platform.errors import AudioError


def items_of(site: Site) -> tuple[RecordingItem, ...]:
    return plan(site.home, SOURCE, date(2026, 5, 1), date(2026, 5, 2)).items


def task_of(site: Site, generation: int = 1) -> WorkerTask:
    return WorkerTask(site.settings, generation, parts_prefix(site.settings, generation))


def both_ways(site: Site, path: Path) -> tuple[list[Event], list[Event]]:
    """Events by the reference and by reprocessing."""
    with open_generation(site.settings.models_folder, 1) as model:
        reference = hear_file(path, model, site.settings.decision)
        folder = site.settings.models_folder / "tidzam" / "1"
        companion = Companion(folder, len(model.describe().classes), 1, threads=1)
        heard = hear_continuously(
            path, probe(path), companion, model.describe(), site.settings.decision, lambda _seconds: None
        )
        return reference.events, sorted(heard, key=lambda one: (one.start_frame, one.channel, one.class_path))


def assert_same(reference: list[Event], heard: list[Event]) -> None:
    def known(events: list[Event]) -> list[tuple[int, int, int, str]]:
        return [(one.channel, one.start_frame, one.end_frame, one.class_path) for one in events]

    assert known(heard) == known(reference)
    np.testing.assert_allclose([one.score for one in heard], [one.score for one in reference], atol=1e-5)


def test_recordings_of_the_site_are_heard_as_hear_file_hears_them(site: Site) -> None:
    detections = 0
    for item in items_of(site):
        reference, heard = both_ways(site, Path(item.path))
        assert_same(reference, heard)
        detections += sum(is_detection(one) for one in heard)
    assert detections >= 5, "nothing would be compared"


@pytest.mark.parametrize("seconds", [0.3, 0.999, 1.0, 1.49, 1.5, 8.2, 17.0])
def test_files_of_any_length_are_heard_as_hear_file_hears_them(
    site: Site, tmp_path: Path, seconds: float
) -> None:
    audio = read_audio(Path(items_of(site)[0].path), rate_hz=24_000)[:, : round(24_000 * seconds)]
    file = tmp_path / "cut.wav"
    write_audio(file, np.concatenate([audio, audio[:1] * 0]), 24_000, codec="wav")
    reference, heard = both_ways(site, file)
    assert {one.channel for one in heard} == {1, 2, 3}
    assert_same(reference, heard)


def test_a_recording_with_holes_is_heard_as_hear_file_hears_it(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "holes.opus"
    file.write_bytes(without_pages(Path(items_of(site)[0].path), 6, 9))
    assert probe(file).holes
    assert_same(*both_ways(site, file))


def test_real_recordings_are_heard_as_hear_file_hears_them(site: Site) -> None:
    assert_same(*both_ways(site, shared_data("archive", "marsh", "marsh-2026-04-01-05-00-00.opus")))


def test_a_part_is_the_same_bytes_each_time_and_its_detections_are_of_the_item(site: Site) -> None:
    item = items_of(site)[0]
    data = hear_item(task_of(site), item)
    assert hear_item(task_of(site), item) == data
    table = parquet.read_table(io.BytesIO(data)).to_pylist()
    assert table
    for row in table:
        assert row["generation"] == 1
        assert row["channel"] in {"pond:out_1", "pond:out_2"}
        assert item.start <= row["start"] < row["end"] <= item.end


def test_a_file_that_is_not_the_indexed_one_is_not_heard(site: Site) -> None:
    item = items_of(site)[0]
    path = Path(item.path)
    os.utime(path, ns=(0, item.mtime_ns + 1))
    with pytest.raises(AudioError, match="index its folder again"):
        hear_item(task_of(site), item)
    path.unlink()
    with pytest.raises(AudioError, match="gone"):
        hear_item(task_of(site), item)


def test_why_a_recording_could_not_be_heard_is_kept_until_it_is(site: Site) -> None:
    item, task = items_of(site)[0], task_of(site)
    parts = Parts(site.home.store, task.prefix)
    hear_and_store(task, replace(item, size_bytes=item.size_bytes + 1))
    assert "index its folder again" in (parts.failure(item) or "")
    assert not parts.heard()
    hear_and_store(task, item)
    assert parts.failure(item) is None
    assert parts.heard() == {parts.key(item)}


def test_other_settings_and_generations_have_other_parts(site: Site) -> None:
    louder = site.settings.model_copy(
        update={"decision": site.settings.decision.model_copy(update={"no_signal_dbfs": -30.0})}
    )
    prefixes = {
        parts_prefix(site.settings, 1),
        parts_prefix(site.settings, 2),
        parts_prefix(louder, 1),
    }
    assert len(prefixes) == 3
    assert parts_prefix(site.settings, 1) in prefixes


def test_task_and_item_travel_as_json(site: Site) -> None:
    task, item = task_of(site), items_of(site)[0]
    assert WorkerTask.from_json(task.to_json()) == task
    assert RecordingItem.from_dict(item.to_dict()) == item
