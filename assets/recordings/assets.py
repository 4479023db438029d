"""The archive as rows of the catalog."""

import dagster as dg

from tidzam_platform.archive.index import index_archive
from tidzam_platform.home import Home


@dg.asset(group_name="archive", kinds={"sqlite"}, owners=["team:operators"])
def recordings(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Every recording of the archive folder, with its times in UTC, channels and holes.

    Incremental: files that did not change are not opened again.
    """
    home = Home.open()
    folder = home.settings.archive_folder
    folder.mkdir(parents=True, exist_ok=True)
    report = index_archive(home.catalog, folder)
    for warning in report.warnings:
        context.log.warning(warning)
    return dg.MaterializeResult(
        metadata={
            "recordings": report.recordings,
            "added": report.added,
            "days": len(report.days),
            "folder": dg.MetadataValue.path(str(folder)),
        }
    )
