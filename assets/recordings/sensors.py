"""New recordings become partitions, and are indexed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import dagster as dg

from assets.jobs import INDEX_ARCHIVE, index_archive
from assets.recordings.days import known_sources
from assets.recordings.partitions import sources
from assets.sensing import is_under_way, opened_home
from tidzam_platform.archive.scan import entries

_LOOK_S: Final = 120  # reads the names in the archive folder: a second for 100,000 files


@dg.sensor(
    job=index_archive,
    minimum_interval_seconds=_LOOK_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Indexes the archive when its files are others than before; sources of the catalog become partitions.",
)
def new_recordings(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Compare names, sizes and times of files with those of the last request."""
    with opened_home() as home:
        with home.catalog.reading() as session:
            known = set(context.instance.get_dynamic_partitions(sources.name))
            missing = sorted(set(known_sources(session)) - known)
        folder = home.settings.archive_folder
    additions = [sources.build_add_request(missing)] if missing else []
    if not folder.is_dir():
        return dg.SensorResult(skip_reason=f"no folder {folder} yet", dynamic_partitions_requests=additions)
    looks = looks_of(folder)
    if looks == context.cursor:
        return dg.SensorResult(skip_reason="nothing new", dynamic_partitions_requests=additions)
    if is_under_way(context.instance, INDEX_ARCHIVE):
        return dg.SensorResult(
            skip_reason="the archive is being indexed", dynamic_partitions_requests=additions
        )
    return dg.SensorResult(
        run_requests=[dg.RunRequest()], cursor=looks, dynamic_partitions_requests=additions
    )


def looks_of(folder: Path) -> str:
    """Hash of names, sizes and times of all recordings below ``folder``; nothing is opened."""
    digest = hashlib.sha256()
    for entry in entries(folder.resolve(), lambda _path, _reason: None):
        digest.update(f"{entry.path}|{entry.size_bytes}|{entry.mtime_ns}\n".encode())
    return digest.hexdigest()
