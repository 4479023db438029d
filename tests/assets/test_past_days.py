"""Past days heard from Dagster: a partition and the job give the same files, told partition by partition."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import select

from assets.detections.jobs import ReprocessConfig
from assets.instance import open_instance
from assets.jobs import HEAR_ARCHIVE, INDEX_ARCHIVE, RETRAIN_EXPERT
from assets.recordings.partitions import partition_of, source_and_day
from assets.running import run_job
from tests.support.small_site import TINY_TRAINING, TrainedHome
from tidzam_platform.catalog.tables import DetectionFile, Recording
from tidzam_platform.home import Home
from tidzam_platform.settings import load_settings


@pytest.fixture
def site(trained_copy: TrainedHome, home: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """The trained home with its archive indexed."""
    monkeypatch.setenv("TIDZAM_HOME", str(trained_copy.folder))
    monkeypatch.setenv("TIDZAM_ARCHIVE", str(trained_copy.site.archive_folder))
    monkeypatch.setenv("TIDZAM_REPROCESSING__PROCESSES", "1")
    opened = Home.open(load_settings())
    run_job(opened.settings, INDEX_ARCHIVE)
    yield opened
    opened.catalog.close()


def first_day_of(home: Home) -> tuple[str, date]:
    with home.catalog.reading() as session:
        row = session.scalars(
            select(Recording).where(Recording.error.is_(None)).order_by(Recording.start)
        ).first()
        assert row is not None
        return row.source.name, row.start.date()


def files(home: Home) -> dict[str, bytes]:
    with home.catalog.reading() as session:
        keys = session.scalars(select(DetectionFile.store_key)).all()
    return {key: home.store.get_bytes(key) for key in keys}


def test_a_partition_replaces_itself_and_the_job_does_the_same(site: Home) -> None:
    source, day = first_day_of(site)
    config = {"detections": {"config": {"generation": 1}}}
    versions = []
    for _ in range(2):
        heard = run_job(site.settings, HEAR_ARCHIVE, config=config, partition=partition_of(source, day))
        (told,) = heard.asset_materializations_for_node("detections")
        assert source_and_day(told.partition or "") == (source, day)
        assert told.metadata["recordings"].value >= 1
        versions.append((told.tags or {})["dagster/data_version"])
    assert versions[0] == versions[1], "nothing changed"
    assert versions[0].startswith("1:")
    by_partition = files(site)
    (key,) = by_partition
    assert "generation=1" in key
    days = {"source": source, "first_day": day.isoformat(), "last_day": day.isoformat()}
    done = run_job(site.settings, "reprocess", config={"reprocess_days": {"config": days}})
    assert files(site) == by_partition
    (told,) = done.asset_materializations_for_node("reprocess_days")
    assert (told.tags or {})["dagster/data_version"] == versions[0]
    assert told.partition == partition_of(source, day)


def test_days_that_are_none_are_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="first_day"):
        ReprocessConfig(source="marsh", first_day="yesterday", last_day="2026-04-02")


@pytest.mark.long
def test_one_expert_is_a_partition_and_goes_through_the_gate(
    site: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    lenient = {**TINY_TRAINING, "TIDZAM_GATE__MARGIN": "1", "TIDZAM_GATE__CLASS_MARGIN": "1"}
    for name, value in lenient.items():
        monkeypatch.setenv(name, value)
    with open_instance(site.settings) as instance:
        assert set(instance.get_dynamic_partitions("experts")) == {"selector", "birds", "insects"}
    done = run_job(load_settings(), RETRAIN_EXPERT, partition="birds")
    (told,) = done.asset_materializations_for_node("expert")
    assert told.partition == "birds"
    assert done.output_for_node("classifier") == 2
    assert [one.asset_key for one in done.asset_materializations_for_node("classifier")] == [
        dg.AssetKey("classifier")
    ], "the expert was told once"
