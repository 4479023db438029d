"""``./tidzam dataset``: labelled audio in, versions out."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click

from tidzam_platform.cli.output import json_option, print_json, print_table, progress_bar, remarks


@click.group()
def dataset() -> None:
    """Labelled clips, and the immutable versions made from them."""


@dataset.command("import")
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--annotator", default=getpass.getuser, show_default="your login", help="Who says what the labels say."
)
@json_option
@click.pass_context
def import_(ctx: click.Context, labels: Path, annotator: str, as_json: bool) -> None:
    """Import labelled audio: LABELS is a CSV file, or a folder with one folder a class.

    The CSV has the columns file and label, and where known parent (the class one level up) and group (clips of
    one group are never split between training and test). Doing it again adds nothing. Exit code 2 if any file
    cannot be used; the others are imported.

    \b
    Examples:
      ./tidzam dataset import fieldset/labels.csv
      ./tidzam dataset import my_clips/ --annotator anna
    """
    from dataclasses import asdict

    from tidzam_platform.datasets.importer import import_labels, read_labels
    from tidzam_platform.errors import AudioError
    from tidzam_platform.files import exclusive
    from tidzam_platform.home import Home

    entries = read_labels(labels)
    home = Home.open()
    with (
        exclusive(home.settings.locks_folder / "dataset-import", "an import"),
        progress_bar("importing clips", len(entries)) as progress,
    ):
        report = import_labels(home.catalog, home.store, entries, annotator=annotator, progress=progress)
    if as_json:
        print_json(asdict(report))
    else:
        click.echo(
            f"added {report.added}, relabelled {report.relabelled}, skipped {report.skipped} (already there)"
        )
        print_table("labels", ["class", "clips"], report.classes.items())
    for warning in report.warnings:
        remarks.print(warning, style="yellow")
    for bad in report.unusable:
        remarks.print(f"not imported: {bad['error']}", style="red")
    if report.unusable:
        ctx.exit(AudioError.exit_code)


@dataset.command()
@json_option
def build(as_json: bool) -> None:
    """Make a dataset version from the labels as they are now; the same labels give the same version.

    \b
    Example:
      ./tidzam dataset build --json
    """
    from tidzam_platform.datasets.build import build_dataset
    from tidzam_platform.home import Home

    home = Home.open()
    made = build_dataset(home.catalog, home.store)
    if as_json:
        print_json({"version": made.version, "clips": made.clips, **made.summary})
        return
    sides = made.summary["sides"]
    click.echo(
        f"dataset version {made.version}: {made.clips} clips in {made.summary['groups']} groups "
        f"({', '.join(f'{sides.get(side, 0)} {side}' for side in ('train', 'validation', 'test'))})"
    )
    print_table(
        "clips",
        ["class", "train", "validation", "test"],
        [
            (name, *(counts.get(side, 0) for side in ("train", "validation", "test")))
            for name, counts in made.summary["classes"].items()
        ],
    )
    for name, reason in made.summary["not_split"].items():
        remarks.print(f"{name}: {reason}", style="yellow")


@dataset.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show the dataset versions, the newest first.

    \b
    Example:
      ./tidzam dataset list --json
    """
    from sqlalchemy import select

    from tidzam_platform.catalog.tables import DatasetVersion
    from tidzam_platform.clock import format_utc
    from tidzam_platform.home import Home

    with Home.open().catalog.reading() as session:
        versions = session.scalars(select(DatasetVersion).order_by(DatasetVersion.made_at.desc())).all()
    rows: list[dict[str, Any]] = [
        {"version": row.version, "clips": row.clips, "made_at": format_utc(row.made_at)} for row in versions
    ]
    if as_json:
        print_json({"versions": rows})
    else:
        print_table(
            "dataset versions", ["version", "clips", "made at"], [tuple(row.values()) for row in rows]
        )
