"""``./tidzam backup`` and ``./tidzam restore``: all that a home holds, in one file or folder, and back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, progress_bar, remarks

if TYPE_CHECKING:
    from tidzam_platform.backup import Manifest

_CREATE: Final = "create"
_SHOWN_MISSING: Final = 20


class _CreateByDefault(click.Group):
    """``backup PLACE`` means ``backup create PLACE``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [_CREATE, *args]
        return super().parse_args(ctx, args)


@click.group(cls=_CreateByDefault)
def backup() -> None:
    """Copy everything to a safe place while it runs; check such copies, and remove old ones.

    `backup PLACE` is short for `backup create PLACE`.
    """


@backup.command(_CREATE)
@click.argument("place", type=click.Path(path_type=Path))
@click.option("--archive", is_flag=True, help="Take the recordings of the archive too.")
@json_option
@click.pass_context
def create(ctx: click.Context, place: Path, archive: bool, as_json: bool) -> None:
    """Copy catalog, models, objects, secrets, Dagster's state, sources and settings to PLACE; nothing need stop.

    PLACE is a file that ends with .tar.zst, or a folder, which keeps all backups made there: each adds only what is
    new. It is read again in the end. It holds secrets: keep it where only you can read it.

    Exit code 0, or 1 if objects are missing in the home itself, which the backup then lacks too.

    \b
    Examples:
      ./tidzam backup /mnt/backups/tidzam
      ./tidzam backup /mnt/backups/tidzam --archive
      ./tidzam backup /mnt/tidzam.tar.zst --json
    """
    from tidzam_platform.backup import make_backup
    from tidzam_platform.settings import load_settings

    with progress_bar("files") as advance:
        report = make_backup(load_settings(), place, archive=archive, advance=advance)
    manifest = report.manifest
    if as_json:
        print_json(
            {
                "path": str(report.path),
                **_summary(manifest),
                "new_bytes": report.new_bytes,
                "seconds": report.seconds,
            }
        )
    else:
        _print_summary(f"backup in {report.path}", manifest)
        print_line(f"{report.new_bytes / 1e6:.1f} MB were new; read again and whole; {report.seconds:.1f} s")
    _tell_missing("missing in the store", manifest.missing)
    ctx.exit(1 if manifest.missing else 0)


@backup.command("verify")
@click.argument("place", type=click.Path(exists=True, path_type=Path))
@json_option
def verify(place: Path, as_json: bool) -> None:
    """Read the backup in PLACE and check every hash.

    PLACE is a file, a folder (its newest backup), or backups/MOMENT.json in it.

    \b
    Examples:
      ./tidzam backup verify /mnt/tidzam.tar.zst
      ./tidzam backup verify /mnt/backups/tidzam/backups/2026-04-01T05-00-00.000Z.json
    """
    from tidzam_platform.backup import verify_backup

    manifest = verify_backup(place)
    if as_json:
        print_json({"path": str(place), **_summary(manifest)})
    else:
        _print_summary(f"whole: {place}", manifest)


@backup.command("prune")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--keep", type=click.IntRange(min=1), required=True, help="How many backups stay, the newest.")
@json_option
def prune(folder: Path, keep: int, as_json: bool) -> None:
    """Remove old backups from FOLDER.

    \b
    Example:
      ./tidzam backup prune /mnt/backups/tidzam --keep 30
    """
    from tidzam_platform.backup import prune_backups

    removed, freed = prune_backups(folder, keep)
    if as_json:
        print_json({"removed": removed, "freed_bytes": freed})
    else:
        print_line(f"{removed} backups removed, {freed / 1e6:.1f} MB are free")


@click.command()
@click.argument("place", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The new data folder: empty, or not there yet.",
)
@json_option
@click.pass_context
def restore(ctx: click.Context, place: Path, home: Path, as_json: bool) -> None:
    """Restore the backup in PLACE into a new home, check every hash, migrate the catalog, and look at all of it.

    PLACE is a file, a folder (its newest backup), or backups/MOMENT.json in it. A home that holds anything is refused.

    Exit code 0 when all that the catalog names is there and `check` finds what is needed; 1 otherwise.

    \b
    Examples:
      ./tidzam restore /mnt/tidzam.tar.zst --home /srv/tidzam
      ./tidzam restore /mnt/backups/tidzam --home /srv/tidzam --json
    """
    from tidzam_platform.backup import restore_backup
    from tidzam_platform.cli.check import print_findings
    from tidzam_platform.operations.findings import look
    from tidzam_platform.settings import load_settings

    os.environ["TIDZAM_HOME"] = str(home.expanduser().absolute())
    with progress_bar("files") as advance:
        report = restore_backup(place, load_settings(), advance=advance)
    findings = list(look())
    ok = not report.missing and all(finding.ok for finding in findings if finding.needed)
    if as_json:
        print_json(
            {
                "ok": ok,
                "home": str(report.home),
                "backup": _summary(report.manifest),
                "counts": report.counts,
                "missing": report.missing,
                "recordings_elsewhere": report.recordings_elsewhere,
                "findings": [asdict(finding) for finding in findings],
            }
        )
        ctx.exit(0 if ok else 1)
    _print_summary(f"restored into {report.home}", report.manifest)
    print_findings(findings)
    _tell_missing("missing in the store, also when the backup was made", report.missing)
    if report.recordings_elsewhere:
        remarks.print(
            f"{report.recordings_elsewhere} recordings are not in the backup; the catalog names where they lay"
        )
    if (report.home / "settings" / "tidzam.toml").is_file():
        remarks.print(
            f"its settings lie in {report.home / 'settings' / 'tidzam.toml'}: TIDZAM_CONFIG may name them"
        )
    ctx.exit(0 if ok else 1)


def _tell_missing(what: str, keys: Sequence[str]) -> None:
    for key in keys[:_SHOWN_MISSING]:
        remarks.print(f"{what}: {key}", style="red")
    if len(keys) > _SHOWN_MISSING:
        remarks.print(f"{what}: and {len(keys) - _SHOWN_MISSING} more, see --json", style="red")


def _summary(manifest: Manifest) -> dict[str, object]:
    return {
        "made_at": manifest.made_at,
        "schema": manifest.schema,
        "files": len(manifest.entries),
        "bytes": manifest.size_bytes,
        "counts": manifest.counts,
        "left_out": manifest.left_out,
        "missing": manifest.missing,
        "removed_meanwhile": manifest.removed_meanwhile,
    }


def _print_summary(title: str, manifest: Manifest) -> None:
    print_table(
        title,
        ("what", "number"),
        [
            ("made at (UTC)", manifest.made_at),
            ("files", len(manifest.entries)),
            ("MB", f"{manifest.size_bytes / 1e6:.1f}"),
            *((f"rows of {name}", rows) for name, rows in manifest.counts.items() if rows),
            *(("left out", line) for line in manifest.left_out),
        ],
    )
