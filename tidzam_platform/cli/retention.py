"""``./tidzam retention``: what the settings let go, shown or removed."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, print_table

if TYPE_CHECKING:
    from tidzam_platform.retention import Outcome


@click.command()
@click.option("--apply", is_flag=True, help="Remove it; without this nothing changes.")
@click.option(
    "--by", default=getpass.getuser, show_default="your login", help="Who removes it, for the audit."
)
@json_option
def retention(apply: bool, by: str, as_json: bool) -> None:
    """Show what is older than the settings retention.* keep it, and remove it with --apply.

    By default everything is kept for ever. Never removed are clips that anybody labelled, that a dataset version or a
    test set names or that are queued for labelling, recordings that people labelled, and generations that serve, have
    a label or could be rolled back to. Live detections only move, into Parquet files. Every removal stands in the
    audit (action retention.remove). It may be interrupted at any moment and called again.

    \b
    Examples:
      ./tidzam retention
      TIDZAM_RETENTION__RECORDINGS_DAYS=365 ./tidzam retention --apply
      ./tidzam retention --json | jq '.outcomes[] | [.kind, .items, .bytes]'
    """
    from tidzam_platform.home import Home
    from tidzam_platform.retention import run

    report = run(Home.open(), apply=apply, by=by)
    if as_json:
        print_json(report.as_json())
        return
    if not report.outcomes:
        print_line("everything is kept for ever: no setting retention.* is set (docs/retention.md)")
        return
    print_table(
        "removed" if apply else "would be removed (--apply does it)",
        ("what", "number", "MB", "from", "to", "why", "stays all the same"),
        [_row(outcome) for outcome in report.outcomes],
    )


def _row(outcome: Outcome) -> tuple[object, ...]:
    from tidzam_platform.clock import format_utc

    what = f"{outcome.kind} (move)" if outcome.moves else outcome.kind
    kept = "\n".join(f"{number}: {reason}" for reason, number in outcome.kept.items())
    oldest = "" if outcome.oldest is None else format_utc(outcome.oldest)[:10]
    newest = "" if outcome.newest is None else format_utc(outcome.newest)[:10]
    megabytes = f"{outcome.size_bytes / 1e6:.1f}" if outcome.size_bytes else ""
    return (what, outcome.items, megabytes, oldest, newest, f"{outcome.setting} = {outcome.days}", kept)
