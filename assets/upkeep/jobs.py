"""Retention and backup from Dagster: what ``./tidzam retention`` and ``./tidzam backup`` do."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from assets.metadata import table
from assets.retrying import tried_again
from tidzam_platform.errors import BackupError
from tidzam_platform.home import Home
from tidzam_platform.settings import load_settings

_BY = "dagster"


class RetentionConfig(dg.Config):
    """Whether anything is removed."""

    apply: bool = Field(True, description="False: show what would be removed, and remove nothing.")


class BackupConfig(dg.Config):
    """Where to, and what."""

    place: str = Field("", description="A folder or a file; empty: dagster.backup_place of the settings.")
    recordings: bool = Field(False, description="Take the recordings of the archive too.")


@dg.op(out=dg.Out(dg.Nothing))
def remove_old(context: dg.OpExecutionContext, config: RetentionConfig) -> None:
    """Apply the settings retention.*; every removal stands in the audit."""
    with tried_again(context):
        from tidzam_platform.retention import run

        report = run(Home.open(), apply=config.apply, by=_BY)
        rows = [
            [one.kind, one.items, one.size_bytes, f"{one.setting} = {one.days}"] for one in report.outcomes
        ]
        context.add_output_metadata(
            {
                "removed" if config.apply else "would be removed": report.items,
                "by_kind": table(["what", "number", "bytes", "why"], rows),
            }
        )


@dg.op(out=dg.Out(dg.Nothing))
def copy_everything(context: dg.OpExecutionContext, config: BackupConfig) -> None:
    """Back up the home while everything runs; it is read again in the end."""
    with tried_again(context):
        from tidzam_platform.backup import make_backup

        settings = load_settings()
        place = Path(config.place) if config.place else settings.dagster.backup_place
        if place is None:
            raise BackupError(
                "nobody said where the backup goes: set dagster.backup_place, or give the run a place in its config"
            )
        report = make_backup(settings, place, archive=config.recordings)
        manifest = report.manifest
        context.add_output_metadata(
            {
                "place": dg.MetadataValue.path(str(report.path)),
                "made_at": manifest.made_at,
                "files": len(manifest.entries),
                "bytes": manifest.size_bytes,
                "new_bytes": report.new_bytes,
                "missing": len(manifest.missing),
                "rows": table(["table", "rows"], sorted(manifest.counts.items())),
            }
        )
        if manifest.missing:
            raise dg.Failure(
                f"{len(manifest.missing)} objects that the catalog names are missing in the store, and in the backup: "
                + ", ".join(manifest.missing[:5]),
                allow_retries=False,
            )


@dg.job(name="retention", description="Remove what is older than the settings retention.* keep it.")
def retention_job() -> None:
    """One op."""
    remove_old()


@dg.job(
    name="backup", description="Copy catalog, models, objects, secrets and Dagster's state to a safe place."
)
def backup_job() -> None:
    """One op."""
    copy_everything()
