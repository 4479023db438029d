"""``./tidzam detections``: what was heard, live and in the archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks
from tidzam_platform.cli.output_file import OutputFile
from tidzam_platform.files import remove_empty_partial_folder, whole_file

if TYPE_CHECKING:
    from tidzam_platform.detections.query import DetectionQuery

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Moment(click.ParamType[datetime]):
    """A time in ISO 8601 with its zone; a day alone begins at midnight UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the text."""
        from tidzam_platform.clock import parse_utc
        from tidzam_platform.errors import TidzamError

        if isinstance(value, datetime):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            pass
        try:
            return parse_utc(value)
        except TidzamError as error:
            self.fail(str(error), param, ctx)


_FILTERS = (
    click.option("--from", "since", type=Moment(), help="Only what starts then or later: a time, or a day (UTC)."),
    click.option("--to", "until", type=Moment(), help="Only what starts before: a time, or a day (UTC)."),
    click.option("--channel", "channels", multiple=True, help="Channels, e.g. marsh:out_*; may be repeated."),
    click.option("--class", "classes", multiple=True, help="A class, with all below it; may be repeated."),
    click.option("--exact", is_flag=True, help="With --class: not what lies below."),
    click.option("--min-score", type=click.FloatRange(0, 1), default=0.0, help="Least score."),
    click.option("--max-score", type=click.FloatRange(0, 1), default=1.0, help="Greatest score."),
    click.option(
        "--generation", "generations", type=click.IntRange(1), multiple=True,
        help="Heard by this generation; may be repeated.",
    ),
)  # fmt: skip


def filters(command: Decorated) -> Decorated:
    """Add the options that choose detections."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def query_of(options: dict[str, Any], **more: Any) -> DetectionQuery:
    """The query that the options of ``filters`` say."""
    from tidzam_platform.detections.query import DetectionQuery

    return DetectionQuery(
        since=options["since"],
        until=options["until"],
        channels=options["channels"],
        classes=options["classes"],
        exact_classes=options["exact"],
        score_from=options["min_score"],
        score_to=options["max_score"],
        generations=options["generations"],
        **more,
    )


@click.group()
def detections() -> None:
    """What was heard: the live tail and the archive as one."""


@detections.command("list")
@filters
@click.option("--oldest-first", is_flag=True, help="Begin with the oldest, not with the newest.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most."
)
@click.option("--cursor", help="Go on where a list ended: next_cursor of its answer.")
@json_option
def list_(oldest_first: bool, limit: int, cursor: str | None, as_json: bool, **options: Any) -> None:
    """Show detections, the newest first.

    \b
    Examples:
      ./tidzam detections list --class birds --min-score 0.8
      ./tidzam detections list --from 2026-04-01 --to 2026-04-02 --channel 'marsh:out_*'
      ./tidzam detections list --json | jq '.detections[].class_path'
    """
    from tidzam_platform.clock import format_utc
    from tidzam_platform.detections.formats import detection_object
    from tidzam_platform.detections.reader import DetectionReader
    from tidzam_platform.home import Home

    query = query_of(options, newest_first=not oldest_first)
    home = Home.open()
    page = DetectionReader(home.catalog, home.store).page(query, limit=limit, cursor=cursor)
    if as_json:
        rows = [detection_object(one) for one in page.detections]
        print_json({"detections": rows, "next_cursor": page.next_cursor})
        return
    print_table(
        f"{len(page.detections)} detections",
        ("start (UTC)", "seconds", "channel", "class", "score", "generation", "id"),
        (
            (
                format_utc(one.start),
                f"{(one.end - one.start).total_seconds():.1f}",
                one.channel,
                one.class_path,
                f"{one.score:.2f}",
                one.generation,
                one.id,
            )
            for one in page.detections
        ),
    )
    if page.next_cursor is not None:
        remarks.print(f"there are more: --cursor {page.next_cursor}")


@detections.command("export")
@filters
@click.option(
    "--format", "format_name", type=click.Choice(["csv", "json", "raven", "audacity", "dwc"]), default="csv",
    show_default=True, help="What to write: json is one object a line, dwc Darwin Core of what people verified.",
)  # fmt: skip
@click.option("--output", type=OutputFile(), help="File to write [standard output].")
@click.option("--recording", help="Only of this recording of the archive; seconds count from its start.")
@click.option("--number", type=click.IntRange(1), help="With --recording: only this channel of it, from 1.")
@click.option(
    "--origin", type=Moment(), help="Second 0 of raven and audacity [--from, else the first detection]."
)
@click.option(
    "--taxa", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="dwc: CSV with class and scientificName (taxonRank, kingdom); other classes are left out.",
)  # fmt: skip
@click.option(
    "--places", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="dwc: CSV with source, latitude and longitude.",
)  # fmt: skip
@json_option
def export(
    format_name: str,
    output: Path | None,
    recording: str | None,
    number: int | None,
    origin: datetime | None,
    taxa: Path | None,
    places: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Write detections as a file for other programs, the oldest first.

    \b
    Examples:
      ./tidzam detections export --from 2026-04-01 --class birds > birds.csv
      ./tidzam detections export --format audacity --recording marsh-2026-04-01-05-00-00.opus --number 2 > labels.txt
      ./tidzam detections export --format dwc --taxa taxa.csv --output occurrences.csv
    """
    from tidzam_platform.detections.exporting import export as pieces_of
    from tidzam_platform.detections.exporting import extent_of
    from tidzam_platform.detections.formats.darwin_core import Site
    from tidzam_platform.detections.formats.site_tables import read_places, read_taxa
    from tidzam_platform.detections.reader import DetectionReader
    from tidzam_platform.home import Home
    from tidzam_platform.labels.targets import find_recording

    if as_json and output is None:
        raise click.UsageError("--json tells of the file that was written: add --output")
    if number is not None and recording is None:
        raise click.UsageError("--number goes with --recording; --channel names channels of all recordings")
    if recording is not None and (options["since"] or options["until"] or options["channels"]):
        raise click.UsageError(
            "--recording has its own times and channels: leave out --from, --to and --channel"
        )
    if (taxa or places) and format_name != "dwc":
        raise click.UsageError("--taxa and --places go with --format dwc")
    site = Site(read_taxa(taxa) if taxa else {}, read_places(places) if places else {})
    query = query_of(options)
    home = Home.open()
    if recording is not None:
        with home.catalog.reading() as session:
            extent = extent_of(find_recording(session, recording), query, number)
        query, origin = extent.query, origin or extent.origin
    reader = DetectionReader(home.catalog, home.store)
    pieces = pieces_of(reader, home.catalog, query, format_name, origin=origin, site=site)
    if output is None:
        for piece in pieces:
            click.echo(piece, nl=False)
        return
    written = _write_file(output, pieces)
    if as_json:
        print_json({"output": str(output), "format": format_name, "bytes": written})
    else:
        print_line(f"wrote {output}: {written} bytes")


@detections.command("diff")
@click.argument("generation", type=click.IntRange(1))
@click.argument("before", type=click.IntRange(1))
@click.option("--source", required=True, help="The source, as its recordings are named.")
@click.option("--from", "first_day", required=True, type=click.DateTime(["%Y-%m-%d"]), help="First day.")
@click.option(
    "--to", "last_day", required=True, type=click.DateTime(["%Y-%m-%d"]), help="Last day, included."
)
@click.option("--zone", default="UTC", show_default=True, help="Time zone of the days (IANA).")
@click.option(
    "--examples", type=click.IntRange(0, 100), default=5, show_default=True,
    help="Most examples of a kind and class, the strongest.",
)  # fmt: skip
@click.option(
    "--picture", type=OutputFile(),
    help="Also write the difference as a picture (PNG) to this file.",
)  # fmt: skip
@json_option
def diff(
    generation: int,
    before: int,
    source: str,
    first_day: datetime,
    last_day: datetime,
    zone: str,
    examples: int,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Compare what GENERATION heard in the archive with what BEFORE heard: gained, lost, changed.

    \b
    Examples:
      ./tidzam detections diff 3 2 --source marsh --from 2026-04-01 --to 2026-04-02
      ./tidzam detections diff 3 2 --source marsh --from 2026-04-01 --to 2026-04-02 --picture diff.png
      ./tidzam detections diff 3 2 --source marsh --from 2026-04-01 --to 2026-04-02 --json | jq '.examples[]'
    """
    from tidzam_platform.cli.detection_diff import print_diff, write_picture
    from tidzam_platform.detections.coverage import days_of_zone
    from tidzam_platform.detections.diff import diff_days
    from tidzam_platform.home import Home

    begin, end = days_of_zone(first_day.date(), last_day.date(), zone)
    found = diff_days(Home.open(), generation, before, source, begin, end, examples=examples)
    if picture is not None:
        write_picture(found, picture)
    if as_json:
        print_json(found.as_json())
    else:
        print_diff(found)


def _write_file(output: Path, pieces: Iterator[str]) -> int:
    """Write the file whole or not at all; returns its length in bytes. What is no file (a pipe) is written as it is."""
    if output.exists() and not output.is_file():
        with output.open("wb") as handle:
            return sum(handle.write(piece.encode()) for piece in pieces)
    try:
        with whole_file(output) as temporary, temporary.open("wb") as handle:
            return sum(handle.write(piece.encode()) for piece in pieces)
    finally:
        remove_empty_partial_folder(output.parent)
