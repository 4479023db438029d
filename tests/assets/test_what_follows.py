"""What follows from something new: days of new recordings are heard when they are over, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from assets.definitions import defs
from assets.recordings.partitions import add_sources, partition_of

DETECTIONS = dg.AssetKey("detections")
EVENING = datetime(2026, 4, 2, 20, tzinfo=UTC)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        add_sources(opened, ["marsh", "dunes"])
        yield opened


def wanted(
    instance: dg.DagsterInstance, at: datetime, before: dg.EvaluateAutomationConditionsResult | None
) -> tuple[dg.EvaluateAutomationConditionsResult, set[str]]:
    """What is evaluated at a moment, and the days of detections that are asked for."""
    result = dg.evaluate_automation_conditions(
        defs=defs,
        instance=instance,
        asset_selection=dg.AssetSelection.assets("detections"),
        evaluation_time=at,
        cursor=None if before is None else before.cursor,
    )
    return result, set(result.get_requested_partitions(DETECTIONS))


def tell(instance: dg.DagsterInstance, key: str, partition: str | None = None) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))


def test_days_of_new_recordings_are_heard_when_they_are_over(instance: dg.DagsterInstance) -> None:
    yesterday, today = (partition_of("marsh", (EVENING - timedelta(days=days)).date()) for days in (1, 0))
    result, asked = wanted(instance, EVENING, None)
    assert not asked
    tell(instance, "recordings", yesterday)
    tell(instance, "recordings", today)
    result, asked = wanted(instance, EVENING + timedelta(minutes=1), result)
    assert asked == {str(yesterday)}, "today goes on"
    tell(instance, "detections", yesterday)
    result, asked = wanted(instance, EVENING + timedelta(hours=1), result)
    assert not asked
    result, asked = wanted(instance, EVENING + timedelta(hours=5), result)
    assert asked == {str(today)}


def test_a_new_generation_makes_no_past_day_heard_again(instance: dg.DagsterInstance) -> None:
    day = partition_of("dunes", EVENING.date() - timedelta(days=3))
    for key in ("recordings", "detections"):
        tell(instance, key, day)
    result, _ = wanted(instance, EVENING, None)
    tell(instance, "generation")
    result, asked = wanted(instance, EVENING + timedelta(minutes=1), result)
    assert not asked
    tell(instance, "recordings", day)
    _, asked = wanted(instance, EVENING + timedelta(minutes=2), result)
    assert asked == {str(day)}, "its recordings changed"
