"""``./tidzam archive``: the recordings and what the catalog knows of them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tidzam_platform.cli.output import json_option, print_json, print_table, progress_bar, remarks

if TYPE_CHECKING:
    from tidzam_platform.archive import IndexReport
    from tidzam_platform.catalog.tables import Recording


@click.group()
def archive() -> None:
    """Recordings of years, known by start, length, channels and hash."""


@archive.command("index")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--zone", help="Time zone of the clock that named the files (IANA); kept with the source. [new: UTC]"
)
@click.option(
    "--rezone", is_flag=True, help="Let --zone replace the zone that is known, and compute times anew."
)
@click.option(
    "--allow-empty", is_flag=True, help="Forget the recordings of a folder that holds none any more."
)
@click.option("--retry-unusable", is_flag=True, help="Open those files again that could not be used before.")
@json_option
def index(
    folder: Path, zone: str | None, rezone: bool, allow_empty: bool, retry_unusable: bool, as_json: bool
) -> None:
    """Bring the catalog up to date with the recordings in FOLDER and the folders in it.

    Recordings are named <database>-YYYY-MM-DD-HH-MM-SS.opus (or ogg, flac, wav). Files that did not change
    since the last time are not opened. It may be interrupted at any moment and called again.

    \b
    Examples:
      ./tidzam archive index /data/marsh
      ./tidzam archive index /data/old_station --zone Europe/Paris
      ./tidzam archive index /data/marsh --json | jq .unusable_files
    """
    from tidzam_platform.archive import index_archive
    from tidzam_platform.home import Home

    if rezone and zone is None:
        raise click.UsageError("--rezone needs the new zone: add --zone")
    home = Home.open()
    report = index_archive(
        home.catalog,
        folder,
        time_zone=zone,
        rezone=rezone,
        allow_empty=allow_empty,
        retry_unusable=retry_unusable,
        locks_folder=home.settings.locks_folder,
        progress=lambda total: progress_bar("indexing recordings", total),
    )
    if as_json:
        print_json(report.as_json())
    else:
        _print_report(report)
    for warning in report.warnings.lines():
        remarks.print(f"warning: {warning}", style="yellow")
    for failure in report.unusable.lines():
        remarks.print(f"unusable: {failure}", style="red")


@archive.command("list")
@click.option("--source", help="Only recordings of this source.")
@click.option("--from", "first_day", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC).")
@click.option("--to", "last_day", type=click.DateTime(["%Y-%m-%d"]), help="Last day (UTC), included.")
@json_option
def list_(source: str | None, first_day: datetime | None, last_day: datetime | None, as_json: bool) -> None:
    """List the recordings that the catalog knows, by start.

    \b
    Examples:
      ./tidzam archive list --source marsh --from 2026-04-01 --to 2026-04-02
      ./tidzam archive list --json | jq '.recordings[].path'
    """
    from tidzam_platform.archive import find_recordings
    from tidzam_platform.home import Home

    home = Home.open()
    with home.catalog.reading() as session:
        found = find_recordings(session, source=source, first_day=_day(first_day), last_day=_day(last_day))
        if as_json:
            print_json({"recordings": [_as_json(row) for row in found]})
            return
        print_table(
            f"{len(found)} recordings",
            ("source", "start (UTC)", "seconds", "channels", "rate (Hz)", "codec", "remarks", "path"),
            (_as_cells(row) for row in found),
        )


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _as_json(row: Recording) -> dict[str, Any]:
    from tidzam_platform.clock import format_utc

    return {
        "source": row.source.name,
        "path": row.path,
        "start": format_utc(row.start),
        "end": None if row.end is None else format_utc(row.end),
        "seconds": row.seconds,
        "channels": row.channels,
        "rate_hz": row.rate_hz,
        "codec": row.codec,
        "holes": row.holes,
        "truncated": row.truncated,
        "sha256": row.sha256,
        "size_bytes": row.size_bytes,
        "error": row.error,
        "warning": row.warning,
    }


def _as_cells(row: Recording) -> tuple[object, ...]:
    from tidzam_platform.clock import format_utc

    remarks_of = []
    if row.error:
        remarks_of.append("unusable")
    if row.truncated:
        remarks_of.append("cut")
    if row.holes:
        remarks_of.append(f"{len(row.holes)} holes")
    if row.warning:
        remarks_of.append("time unsure")
    seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
    return (
        row.source.name,
        format_utc(row.start),
        seconds,
        row.channels or "",
        row.rate_hz or "",
        row.codec or "",
        ", ".join(remarks_of),
        row.path,
    )


def _print_report(report: IndexReport) -> None:
    days = f"{report.days[0]} to {report.days[-1]} ({len(report.days)} days)" if report.days else "none"
    print_table(
        f"recordings in {report.folder}",
        ("what", "number"),
        (
            ("recordings", report.recordings),
            ("added", report.added),
            ("changed", report.changed),
            ("moved", report.moved),
            ("unchanged", report.unchanged),
            ("removed", report.removed),
            ("unusable", report.unusable.count),
            ("other files", report.ignored.count),
            ("sources", ", ".join(report.sources)),
            ("channels", ", ".join(map(str, report.channels))),
            ("days (UTC)", days),
        ),
    )
