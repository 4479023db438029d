"""What sensors see, and what they ask for."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from assets.classifiers.partitions import experts
from assets.classifiers.sensors import enough_new_labels, tree_of_experts
from assets.jobs import INDEX_ARCHIVE
from assets.recordings.partitions import partition_of, source_and_day, sources
from assets.recordings.sensors import new_recordings
from assets.running import run_job
from tests.support.parts import require_part
from tests.support.small_site import TrainedHome
from tidzam_platform.catalog.tables import Annotation, Clip
from tidzam_platform.clock import utc_now
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings, load_settings

RECORDINGS = dg.AssetKey("recordings")


def record(folder: Path, name: str) -> Path:
    """A tenth of a second."""
    folder.mkdir(parents=True, exist_ok=True)
    with wave.open(str(folder / name), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600))
    return folder / name


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def look(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult:
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        found = sensor(context)
    assert isinstance(found, dg.SensorResult)
    return found


def test_new_recordings_are_indexed_once_and_become_partitions(
    home: Settings, instance: dg.DagsterInstance
) -> None:
    require_part("ffmpeg")
    assert not look(new_recordings, instance).run_requests, "there is no folder yet"
    record(home.archive_folder, "marsh-2026-04-01-12-00-00.wav")
    first = look(new_recordings, instance)
    assert first.run_requests
    assert not look(new_recordings, instance, first.cursor).run_requests, "they are known"
    run_job(home, INDEX_ARCHIVE)
    added = look(new_recordings, instance, first.cursor).dynamic_partitions_requests
    assert [(one.partitions_def_name, list(one.partition_keys)) for one in added or ()] == [
        (sources.name, ["marsh"])
    ]
    record(home.archive_folder, "dunes-2026-04-02-12-00-00.wav")
    assert look(new_recordings, instance, first.cursor).run_requests


def test_while_the_archive_is_indexed_nothing_more_is_asked(
    home: Settings, instance: dg.DagsterInstance
) -> None:
    from assets.definitions import defs

    record(home.archive_folder, "marsh-2026-04-01-12-00-00.wav")
    instance.create_run_for_job(defs.resolve_job_def(INDEX_ARCHIVE), status=dg.DagsterRunStatus.STARTED)
    waiting = look(new_recordings, instance)
    assert not waiting.run_requests
    assert waiting.cursor is None, "it is looked at again"


def test_the_index_tells_the_days_that_changed_and_no_others(home: Settings) -> None:
    require_part("ffmpeg")
    folder = home.archive_folder
    record(folder, "marsh-2026-04-01-12-00-00.wav")
    record(folder, "dunes-2026-04-01-12-00-00.wav")
    run_job(home, INDEX_ARCHIVE)
    gone = record(folder, "marsh-2026-04-02-12-00-00.wav")
    (told,) = run_job(home, INDEX_ARCHIVE).asset_materializations_for_node("archive")[:-1]
    assert source_and_day(told.partition or "") == ("marsh", date(2026, 4, 2))
    assert told.metadata["recordings"].value == 1
    assert len(run_job(home, INDEX_ARCHIVE).asset_materializations_for_node("archive")) == 1, (
        "nothing changed"
    )
    gone.unlink()
    (told, _) = run_job(home, INDEX_ARCHIVE).asset_materializations_for_node("archive")
    assert told.partition == partition_of("marsh", date(2026, 4, 2))
    assert told.metadata["recordings"].value == 0


def test_the_experts_of_the_tree_are_the_partitions(
    trained_copy: TrainedHome, home: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not look(tree_of_experts, instance).dynamic_partitions_requests, "no generation yet"
    monkeypatch.setenv("TIDZAM_HOME", str(trained_copy.folder))
    instance.add_dynamic_partitions(experts.name, ["birds", "fish"])
    added, removed = look(tree_of_experts, instance).dynamic_partitions_requests or ()
    assert sorted(added.partition_keys) == ["insects", "selector"]
    assert list(removed.partition_keys) == ["fish"]


def test_enough_new_labels_ask_for_a_generation_once(
    trained_copy: TrainedHome, home: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDZAM_HOME", str(trained_copy.folder))
    monkeypatch.setenv("TIDZAM_DAGSTER__NEW_LABELS", "3")
    assert not look(enough_new_labels, instance).run_requests, "all labels are older than the generation"
    opened = Home.open(load_settings())
    label(opened, 2)
    assert not look(enough_new_labels, instance).run_requests
    label(opened, 1)
    (asked,) = look(enough_new_labels, instance).run_requests or ()
    (again,) = look(enough_new_labels, instance).run_requests or ()
    assert asked.run_key == again.run_key, "Dagster starts one run a key"
    label(opened, 3)
    (later,) = look(enough_new_labels, instance).run_requests or ()
    assert later.run_key != asked.run_key
    opened.catalog.close()


def label(home: Home, count: int) -> None:
    with home.catalog.session() as session:
        clip = session.query(Clip).first()
        assert clip is not None
        for _ in range(count):
            session.add(
                Annotation(
                    clip_id=clip.id, class_path="birds", annotator="ada", tool="test", made_at=utc_now()
                )
            )
