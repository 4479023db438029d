"""``./tidzam label``: what people say of recordings, clips and detections."""

from __future__ import annotations

import getpass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from tidzam_platform.cli.detections import Moment
from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks
from tidzam_platform.labels.statement import VERDICTS


@click.group()
def label() -> None:
    """Labels of recordings, clips and detections, with their history."""


@label.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--recording", help="Recording that FILE speaks of: its name, path or number [by FILE's name].")
@click.option("--clip", help="Clip that FILE speaks of: its number or SHA-256.")
@click.option(
    "--channel", type=click.IntRange(1), help="Channel of the recording [told by the rows or FILE's name]."
)
@click.option(
    "--annotator", default=getpass.getuser, show_default="your login", help="Who says what the labels say."
)
@click.option(
    "--format", "format_name", type=click.Choice(["auto", "audacity", "raven", "csv"]), default="auto",
    show_default=True, help="Who wrote FILE.",
)  # fmt: skip
@click.option("--column", help="Column of Raven's table that holds the classes [Class, Label, Species ...].")
@click.option(
    "--replace", is_flag=True, help="Withdraw what an earlier import said and FILE does not say again."
)
@json_option
def import_(
    file: Path,
    recording: str | None,
    clip: str | None,
    channel: int | None,
    annotator: str,
    format_name: str,
    column: str | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Import labels: FILE is a label track of Audacity, a selection table of Raven, or CSV.

    What FILE is named tells the recording and its channel (marsh-2026-04-01-05-00-00.ch2.txt), or the options do, or
    the rows themselves. Labels are class paths; birds-crow? is unsure, !birds-crow says that it is not there. Doing
    it again adds nothing; other labels of the same stretch by the same annotator are superseded.

    \b
    Examples:
      ./tidzam label import marsh-2026-04-01-05-00-00.ch2.txt
      ./tidzam label import table.txt --format raven --recording marsh-2026-04-01-05-00-00.opus --channel 1
      ./tidzam label import judged.csv --annotator anna
    """
    from dataclasses import asdict

    from tidzam_platform.home import Home
    from tidzam_platform.labels.importing import import_track

    if recording is not None and clip is not None:
        raise click.UsageError("a file speaks of a recording or of a clip: give one of the two")
    home = Home.open()
    report = import_track(
        home.catalog,
        home.store,
        file,
        annotator=annotator,
        format_name=format_name,
        column=column,
        recording=recording,
        clip=clip,
        channel=channel,
        replace=replace,
    )
    if as_json:
        print_json(asdict(report))
    else:
        print_line(
            f"{report.labels} labels: {report.made} new, {report.kept} already there, "
            f"{report.superseded} superseded, {report.withdrawn} withdrawn"
        )
        print_table("labels", ["class", "labels"], report.classes.items())
    if report.unjudged:
        remarks.print(f"{report.unjudged} detections have no verdict and say nothing", style="yellow")


@label.command("list")
@click.option("--recording", help="Only of this recording: its name, path or number.")
@click.option("--clip", help="Only of this clip: its number or SHA-256.")
@click.option("--detection", help="Only of this detection: its id.")
@click.option("--channel", help="Only of this channel, e.g. marsh:out_2.")
@click.option("--from", "since", type=Moment(), help="Only what ends after: a time, or a day (UTC).")
@click.option("--to", "until", type=Moment(), help="Only what starts before: a time, or a day (UTC).")
@click.option("--annotator", help="Only by this annotator.")
@click.option("--class", "classes", multiple=True, help="A class, with all below it; may be repeated.")
@click.option("--verdict", type=click.Choice(VERDICTS), help="Only these.")
@click.option("--history", is_flag=True, help="With those that were superseded.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many at most."
)
@click.option("--after", type=click.IntRange(0), default=0, help="Go on behind the label of this number.")
@json_option
def list_(
    recording: str | None,
    clip: str | None,
    detection: str | None,
    channel: str | None,
    since: datetime | None,
    until: datetime | None,
    annotator: str | None,
    classes: tuple[str, ...],
    verdict: str | None,
    history: bool,
    limit: int,
    after: int,
    as_json: bool,
) -> None:
    """List labels by their number, those that stand.

    \b
    Examples:
      ./tidzam label list --recording marsh-2026-04-01-05-00-00.opus
      ./tidzam label list --class birds --annotator anna --history --json
    """
    from tidzam_platform.home import Home
    from tidzam_platform.labels.listing import AnnotationQuery, annotation_object, find_annotations
    from tidzam_platform.labels.targets import find_clip, find_recording

    home = Home.open()
    with home.catalog.reading() as session:
        clip_id = find_clip(session, clip).id if clip is not None else None
        recording_id = find_recording(session, recording).id if recording is not None else None
    query = AnnotationQuery(
        clip_id=clip_id,
        detection_id=detection,
        recording_id=recording_id,
        channel=channel,
        since=since,
        until=until,
        annotator=annotator,
        classes=classes,
        verdict=verdict,
        standing_only=not history,
    )
    rows = [
        annotation_object(row) for row in find_annotations(home.catalog, query, limit=limit, after_id=after)
    ]
    next_after = rows[-1]["id"] if len(rows) == limit else None
    if as_json:
        print_json({"annotations": rows, "next_after": next_after})
        return
    print_table(
        f"{len(rows)} labels",
        ("number", "of", "channel", "start (UTC)", "from s", "to s", "class", "verdict", "annotator", "tool"),
        (_cells(row) for row in rows),
    )
    if next_after is not None:
        remarks.print(f"there may be more: --after {next_after}")


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    of = next(
        f"{kind} {row[kind]}"
        for kind in ("clip", "detection", "recording", "channel")
        if row[kind] is not None
    )
    verdict = (
        row["verdict"] if row["superseded_by"] is None else f"{row['verdict']}, now {row['superseded_by']}"
    )
    times = tuple("" if row[name] is None else f"{row[name]:.3f}" for name in ("start_s", "end_s"))
    return (
        row["id"],
        of,
        row["channel"] or "",
        row["start"] or "",
        *times,
        row["class_path"],
        verdict,
        row["annotator"],
        row["tool"],
    )
