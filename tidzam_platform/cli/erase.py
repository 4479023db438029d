"""``./tidzam erase``: what was heard of people is silenced in recordings, and its clips go."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks

if TYPE_CHECKING:
    from tidzam_platform.erasing import ErasingPlan, ErasingReport


@click.command()
@click.option(
    "--class", "class_path", default="human", show_default=True, help="What was heard, with classes below it."
)
@click.option("--source", required=True, help="Of which source; all its channels.")
@click.option(
    "--from", "since", required=True, metavar="TIME", help="ISO 8601 with a zone: 2026-04-01T05:00:00Z."
)
@click.option("--to", "until", required=True, metavar="TIME", help="ISO 8601 with a zone.")
@click.option(
    "--margin",
    type=click.FloatRange(0, 3600),
    default=1.0,
    show_default=True,
    help="s before and after each too.",
)
@click.option("--dataset-clips", is_flag=True, help="Remove clips that dataset versions name too.")
@click.option("--apply", is_flag=True, help="Erase it; without this nothing changes.")
@click.option("--reason", default="", help="Why; kept in the audit. Needed with --apply.")
@click.option(
    "--by", default=getpass.getuser, show_default="your login", help="Who erases it, for the audit."
)
@json_option
@click.pass_context
def erase(
    ctx: click.Context,
    class_path: str,
    source: str,
    since: str,
    until: str,
    margin: float,
    dataset_clips: bool,
    apply: bool,
    reason: str,
    by: str,
    as_json: bool,
) -> None:
    """Erase audio in which people were heard: stretches of recordings become silence, clips are removed.

    Erased is, on all channels of the source, what any generation detected or anybody labelled as --class. Recordings
    keep their length and times; of Opus and Vorbis all other packets stay bit by bit. The catalog knows the silence as
    holes. Annotations and detections stay. What was erased, by whom and why stands in the audit (action audio.erase).

    It cannot be taken back. Backups that were made before still hold the audio.

    Exit code 0, or 1 if a recording could not be erased.

    \b
    Examples:
      ./tidzam erase --source marsh --from 2026-04-01T00:00:00Z --to 2026-04-02T00:00:00Z
      ./tidzam erase --source marsh --from 2026-04-01T09:00:00Z --to 2026-04-01T10:00:00Z --apply --reason "asked for"
    """
    from tidzam_platform import erasing
    from tidzam_platform.clock import parse_utc
    from tidzam_platform.home import Home

    if apply and not reason.strip():
        raise click.UsageError("--apply needs --reason: the audit keeps it")
    home = Home.open()
    request = erasing.ErasingRequest(
        class_path, source, parse_utc(since), parse_utc(until), margin_s=margin, dataset_clips=dataset_clips
    )
    plan = erasing.plan_erasing(home, request)
    report = erasing.erase(home, plan, by=by, reason=reason) if apply else None
    if as_json:
        print_json(_as_json(plan, report))
    else:
        _print(plan, report)
    for path in plan.unusable:
        remarks.print(f"cannot be read, nobody knows what is in it: {path}", style="yellow")
    if plan.kept_clips:
        remarks.print(
            f"{len(plan.kept_clips)} clips stay since dataset versions name them: --dataset-clips removes them too",
            style="yellow",
        )
    for failure in report.failed if report is not None else ():
        remarks.print(f"not erased: {failure}", style="red")
    ctx.exit(1 if report is not None and report.failed else 0)


def _as_json(plan: ErasingPlan, report: ErasingReport | None) -> dict[str, Any]:
    from dataclasses import asdict

    from tidzam_platform.clock import format_utc

    return {
        "applied": report is not None,
        "detections": plan.detections,
        "stretches": [[format_utc(begin), format_utc(end)] for begin, end in plan.stretches],
        "seconds": plan.seconds,
        "recordings": [asdict(part) for part in plan.recordings],
        "clips": [asdict(clip) for clip in plan.clips],
        "kept_clips": [asdict(clip) for clip in plan.kept_clips],
        "unusable": plan.unusable,
        "erased": None if report is None else asdict(report),
    }


def _print(plan: ErasingPlan, report: ErasingReport | None) -> None:
    if not plan.stretches:
        print_line(f"{plan.request.class_path} was not heard there: there is nothing to erase")
        return
    print_table(
        "erased" if report is not None else "would be erased (--apply does it)",
        ("recording", "stretches (s of the file)"),
        [
            (part.path, ", ".join(f"{start_s:.1f}-{end_s:.1f}" for start_s, end_s in part.spans))
            for part in plan.recordings
        ],
    )
    print_line(
        f"{plan.detections} detections, {plan.seconds:.1f} s of {len(plan.recordings)} recordings, "
        f"{len(plan.clips)} clips"
    )
    if report is not None and report.versions:
        print_line(f"dataset versions that lack clips now: {', '.join(report.versions)}; build a new one")
