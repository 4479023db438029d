"""``./tidzam reprocess``: past days heard again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tidzam_platform.cli.output import (
    json_option,
    print_json,
    print_line,
    print_table,
    progress_bar,
    remarks,
)
from tidzam_platform.cli.output_file import OutputFile
from tidzam_platform.operations.termination import sigterm_like_ctrl_c

if TYPE_CHECKING:
    from serving.reprocessing import Plan, Reprocessed
    from tidzam_platform.detections.coverage import MissingAudio
    from tidzam_platform.home import Home

_DAY: Final = click.DateTime(["%Y-%m-%d"])
_SHOWN_MISSING: Final = 20


@click.command()
@click.option("--source", required=True, help="The source, as its recordings are named.")
@click.option("--from", "first_day", required=True, type=_DAY, help="First day.")
@click.option("--to", "last_day", required=True, type=_DAY, help="Last day, included.")
@click.option("--generation", type=click.IntRange(1), help="Which generation hears [the one in service].")
@click.option(
    "--diff", "before", type=click.IntRange(1), metavar="INTEGER",
    help="Also tell what differs from this generation; days that it has not heard are heard with it too.",
)  # fmt: skip
@click.option("--zone", default="UTC", show_default=True, help="Time zone of the days (IANA).")
@click.option(
    "--picture", type=OutputFile(),
    help="With --diff: write the difference as a picture (PNG) to this file.",
)  # fmt: skip
@json_option
@sigterm_like_ctrl_c()
def reprocess(
    source: str,
    first_day: datetime,
    last_day: datetime,
    generation: int | None,
    before: int | None,
    zone: str,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Hear recordings of past days again, and replace what that generation heard on them.

    Both days are included. Days of the files are those of UTC; a day that --zone touches is heard whole. What is
    interrupted goes on with the same call, and ends with the same files.

    \b
    Examples:
      ./tidzam reprocess --source marsh --from 2026-04-01 --to 2026-04-02
      ./tidzam reprocess --source marsh --from 2026-04-01 --to 2026-04-02 --generation 3 --diff 2 --json
      ./tidzam reprocess --source marsh --from 2026-04-01 --to 2026-04-30 --zone Europe/Paris --diff 2 --picture a.png
    """
    from serving.reprocessing import plan as make_plan
    from serving.reprocessing.run import generation_of
    from tidzam_platform.home import Home

    if picture is not None and before is None:
        raise click.UsageError("--picture shows a difference: add --diff")
    home = Home.open()
    number = generation_of(home, generation)
    if before is not None and generation_of(home, before) == number:
        raise click.UsageError(f"--diff {before} compares generation {number} with itself: name another")
    plan = make_plan(home, source, first_day.date(), last_day.date(), zone)
    done = _heard(home, plan, number)
    answer = _as_json(done, zone)
    for one in done.missing[:_SHOWN_MISSING]:
        remarks.print(f"missing: {one.words}", style="yellow")
    if len(done.missing) > _SHOWN_MISSING:
        remarks.print(f"missing: and {len(done.missing) - _SHOWN_MISSING} more, see --json", style="yellow")
    if not as_json:
        _print(done)
    if before is not None:
        answer["diff"] = _diff(home, plan, number, before, picture, as_json)
    if as_json:
        print_json(answer)


def _heard(home: Home, plan: Plan, generation: int) -> Reprocessed:
    from serving.reprocessing import reprocess as run

    try:
        return run(
            home,
            plan,
            generation,
            progress=lambda total: progress_bar(
                f"hearing {plan.source} with generation {generation}, seconds of audio", total
            ),
        )
    except KeyboardInterrupt:
        remarks.print("what was heard so far is kept: the same command goes on from there")
        raise


def _diff(
    home: Home, plan: Plan, generation: int, before: int, picture: Path | None, as_json: bool
) -> dict[str, Any]:
    from serving.reprocessing.unheard import unheard_plan
    from tidzam_platform.cli.detection_diff import print_diff, write_picture
    from tidzam_platform.detections.diff import diff_days

    if (unheard := unheard_plan(home, plan, before)) is not None:
        _heard(home, unheard, before)
    found = diff_days(home, generation, before, plan.source, plan.begin, plan.end)
    if picture is not None:
        write_picture(found, picture)
    if not as_json:
        print_diff(found)
    return found.as_json()


def _as_json(done: Reprocessed, zone: str) -> dict[str, Any]:
    from tidzam_platform.clock import format_utc

    plan = done.plan
    return {
        "source": plan.source,
        "generation": done.generation,
        "from": format_utc(plan.begin),
        "to": format_utc(plan.end),
        "zone": zone,
        "recordings": len(plan.items),
        "heard": done.heard,
        "reused": done.reused,
        "recorded_s": round(plan.seconds, 3),
        "detections": done.detections,
        "classes": dict(sorted(done.counts.items())),
        "days": [
            {
                "day": day.day.isoformat(),
                "detections": day.detections,
                "key": day.key,
                "sha256": day.sha256,
            }
            for day in done.days
        ],
        "missing": [one.as_json() for one in done.missing],
        "missing_s": _missing_s(done.missing),
        "took_s": round(done.seconds, 3),
        "diff": None,
    }


def _missing_s(missing: Sequence[MissingAudio]) -> float:
    return round(sum(one.seconds or 0.0 for one in missing), 3)


def _print(done: Reprocessed) -> None:
    print_table(
        f"{done.plan.source}, heard by generation {done.generation}",
        ("day (UTC)", "detections", "file"),
        ((day.day, day.detections, day.key) for day in done.days),
    )
    print_table("by class", ("class", "detections"), sorted(done.counts.items()))
    print_line(
        f"{len(done.plan.items)} recordings, {done.plan.seconds / 3600:.2f} h, {done.detections} detections; "
        f"audio is missing in {len(done.missing)} places"
    )
