"""Sources and days of the archive."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Final

import dagster as dg

from tidzam_platform.settings import load_settings

# Known when they were first indexed: the sensor new_recordings and the asset archive add them.
sources: Final = dg.DynamicPartitionsDefinition(name="sources")
# In UTC, today among them.
days: Final = dg.DailyPartitionsDefinition(
    start_date=load_settings().dagster.first_day.isoformat(), timezone="UTC", end_offset=1
)
source_days: Final = dg.MultiPartitionsDefinition({"source": sources, "day": days})


def partition_of(source: str, day: date) -> dg.MultiPartitionKey:
    """The partition of a source and a day."""
    return dg.MultiPartitionKey({"source": source, "day": day.isoformat()})


def source_and_day(partition: str) -> tuple[str, date]:
    """The inverse of ``partition_of``; the key of a run may be plain text."""
    key = source_days.get_partition_key_from_str(str(partition)).keys_by_dimension
    return key["source"], datetime.strptime(key["day"], "%Y-%m-%d").replace(tzinfo=UTC).date()


def add_sources(instance: dg.DagsterInstance, names: Collection[str]) -> None:
    """Let Dagster know sources; those that it knows are left as they are."""
    if missing := sorted(set(names) - set(instance.get_dynamic_partitions(sources.name))):
        instance.add_dynamic_partitions(sources.name, missing)
