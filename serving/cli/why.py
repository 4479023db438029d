"""``./tidzam why``: from something heard to the labels behind it."""

from __future__ import annotations

from datetime import datetime

import click

from tidzam_platform.cli.detections import Moment
from tidzam_platform.cli.output import json_option, print_json


@click.command()
@click.argument("detection", metavar="DETECTION")
@click.option("--start", type=Moment(), help="When it starts: it is found sooner in the archive.")
@click.option(
    "--channel", help="On which channel it was heard, e.g. marsh:out_1: it is found sooner in the archive."
)
@click.option(
    "--clips",
    metavar="N",
    type=click.IntRange(0, 200),
    default=10,
    show_default=True,
    help="How many clips to show of those said to hold the class, and of those said not to; the newest label first.",
)
@json_option
def why(detection: str, start: datetime | None, channel: str | None, clips: int, as_json: bool) -> None:
    """Say why something was heard: generation, experts, dataset versions, and the labels behind the class.

    DETECTION is an id (./tidzam detections list, ./tidzam events). What analyze answers is stored nowhere: give its
    generation and class, like 3:birds-crow, or one of its events as it stands in --json.

    \b
    Examples:
      ./tidzam why 9f86d081884c7d659a2feaa0
      ./tidzam why 9f86d081884c7d659a2feaa0 --start 2026-04-01T05:00:07Z --channel marsh:out_2 --clips 50
      ./tidzam why 3:birds-crow --json | jq '.behind.examples.present[].store_key'
      ./tidzam why "$(./tidzam analyze --json night.opus | jq -c '.events[0]')"
    """
    from serving.cli.why_tables import print_lineage
    from serving.lineage import explain
    from tidzam_platform.home import Home

    home = Home.open()
    try:
        found = explain(
            home.settings, home.catalog, home.store, detection, start=start, channel=channel, clips=clips
        )
    finally:
        home.catalog.close()
    if as_json:
        print_json(found.as_json())
    else:
        print_lineage(found)
