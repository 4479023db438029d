"""The archive as rows of the catalog, and what it holds of each source on each day."""

from datetime import timedelta
from typing import Final

import dagster as dg

from assets.metadata import table
from assets.policies import INDEX_POOL, asset_by_partition
from assets.recordings.days import (
    known_sources,
    materialization,
    recordings_of,
    version_of,
    versions_of_days,
)
from assets.recordings.partitions import add_sources, days, partition_of, source_and_day, source_days
from assets.retrying import tried_again
from tidzam_platform.archive.index import index_archive
from tidzam_platform.home import Home

_RECORDINGS: Final = dg.AssetKey("recordings")
USABLE: Final = "usable"  # check of the archive


@dg.asset(
    group_name="archive",
    kinds={"sqlite"},
    owners=["team:operators"],
    code_version="1",
    pool=INDEX_POOL,
    freshness_policy=dg.FreshnessPolicy.time_window(
        fail_window=timedelta(days=3), warn_window=timedelta(hours=26)
    ),
    check_specs=[dg.AssetCheckSpec(USABLE, asset="archive", description="Every file can be used.")],
)
def archive(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Every recording of the archive folder in the catalog, with its times in UTC, channels and holes.

    Incremental: files that did not change are not opened again. The partitions of ``recordings`` whose content changed
    are told as materialized, and new sources become partitions.
    """
    with tried_again(context):
        home = Home.open()
        folder = home.settings.archive_folder
        folder.mkdir(parents=True, exist_ok=True)
        report = index_archive(home.catalog, folder)
        for warning in report.warnings:
            context.log.warning(warning)
        with home.catalog.reading() as session:
            add_sources(context.instance, known_sources(session))
            versions = {partition_of(*key): version for key, version in versions_of_days(session).items()}
            changed = _changed(context.instance, versions)
            for partition in changed:
                found = recordings_of(session, *source_and_day(partition))
                context.log_event(materialization(_RECORDINGS.to_user_string(), found, partition))
        return dg.MaterializeResult(
            metadata={
                "recordings": report.recordings,
                "added": report.added,
                "changed": report.changed,
                "removed": report.removed,
                "sources": ", ".join(report.sources) or "none",
                "days": len(report.days),
                "changed_partitions": len(changed),
                "unusable": table(["file that cannot be used"], [[line] for line in report.unusable]),
                "folder": dg.MetadataValue.path(str(folder)),
            },
            data_version=dg.DataVersion(version_of(f"{key}|{version}" for key, version in versions.items())),
            check_results=[
                dg.AssetCheckResult(
                    check_name=USABLE,
                    passed=report.unusable.count == 0,
                    severity=dg.AssetCheckSeverity.WARN,
                    description="; ".join(report.unusable) or "every file can be used",
                )
            ],
        )


@asset_by_partition(
    group_name="archive",
    kinds={"sqlite"},
    owners=["team:operators"],
    code_version="1",
    partitions_def=source_days,
    deps=[archive],
)
def recordings(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The recordings of a source that touch a day (UTC), as the catalog has them; a run reads them again."""
    with tried_again(context), Home.open().catalog.reading() as session:
        found = recordings_of(session, *source_and_day(context.partition_key))
        return dg.MaterializeResult(
            metadata=found.metadata(), data_version=dg.DataVersion(found.data_version)
        )


def _changed(
    instance: dg.DagsterInstance, versions: dict[dg.MultiPartitionKey, str]
) -> list[dg.MultiPartitionKey]:
    """Partitions that are not told as they are; those that lost all their recordings among them."""
    told = instance.event_log_storage.get_latest_tags_by_partition(
        _RECORDINGS, dg.DagsterEventType.ASSET_MATERIALIZATION, ["dagster/data_version"]
    )
    nothing = version_of(iter(()))
    known = {source_days.get_partition_key_from_str(key): tags for key, tags in told.items()}
    wanted = dict.fromkeys(known, nothing) | versions
    return sorted(
        key
        for key, version in wanted.items()
        if known.get(key, {}).get("dagster/data_version") != version and _is_partition(key)
    )


def _is_partition(key: dg.MultiPartitionKey) -> bool:
    """Whether its day is none before the first one of the settings, nor after today (a clock that was wrong)."""
    _, day = source_and_day(key)
    return str(days.get_first_partition_key()) <= day.isoformat() <= str(days.get_last_partition_key())
