"""``./tidzam generation gate``, ``override`` and ``scores``: what the gate says, overruling it, and a chart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from serving.cli.login import login_name
from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks
from tidzam_platform.cli.output_file import OutputFile

if TYPE_CHECKING:
    from tidzam_platform.classifiers.gate.verdicts import KeptVerdict

_SHOWN_CLIPS: Final = 20
_NONE: Final = "-"

_number = click.argument("number", metavar="N", type=click.IntRange(1))


@click.command()
@_number
@click.option("--again", is_flag=True, help="Judge it again, beside what serves now and on the newest sets.")
@json_option
def gate(number: int, again: bool, as_json: bool) -> None:
    """Show what the gate said of generation N: each part, and the clips that changed for the worse.

    docs/gate.md explains the parts.

    \b
    Examples:
      ./tidzam generation gate 4
      ./tidzam generation gate 4 --again --json
    """
    from tidzam_platform.classifiers.gate.verdicts import read_verdict
    from tidzam_platform.errors import GateRefusedError
    from tidzam_platform.home import Home

    home = Home.open()
    if again:
        from serving.gate_evidence import judge_generation

        remarks.print("judging: generations are scored on what they were not scored on yet ...")
        kept = judge_generation(home, number)
    else:
        found = read_verdict(home, number)
        if found is None:
            raise GateRefusedError(
                f"there is no verdict on generation {number}: ./tidzam generation gate {number} --again judges it"
            )
        kept = found
    if as_json:
        print_json(kept.to_json())
    else:
        _print_verdict(kept)


@click.command()
@_number
@click.option("--reason", metavar="TEXT", required=True, help="Why; the audit and the manifest keep it.")
@click.option("--by", metavar="NAME", help="Who does it (default: your login name).")
@json_option
def override(number: int, reason: str, by: str | None, as_json: bool) -> None:
    """Publish generation N though the gate refused it; what becomes of it then says model_repository.after_gate.

    \b
    Example:
      ./tidzam generation override 4 --reason "the frogs were labelled wrongly in the test clips"
    """
    from serving.publishing import publish_generation
    from tidzam_platform.classifiers.gate.verdicts import override_verdict
    from tidzam_platform.home import Home

    home = Home.open()
    kept = override_verdict(home, number, by=login_name() if by is None else by, reason=reason)
    folder = publish_generation(home, number)
    if as_json:
        print_json({**kept.to_json(), "saved_model": str(folder)})
        return
    print_line(
        f"generation {number} is exported though the gate refused it: {'; '.join(kept.verdict.reasons)}"
    )


@click.command()
@click.option("--known", is_flag=True, help="Show what is known; score nothing.")
@click.option(
    "--picture",
    metavar="FILE",
    type=OutputFile(),
    help="Write the chart as PNG.",
)
@json_option
def scores(known: bool, picture: Path | None, as_json: bool) -> None:
    """Compare all exported generations on the newest frozen test sets; those that were not scored yet are.

    \b
    Examples:
      ./tidzam generation scores --picture generations.png
      ./tidzam generation scores --known --json
    """
    from serving.generation_scores import score_exported, score_rows
    from tidzam_platform.home import Home

    home = Home.open()
    unscored = {} if known else score_exported(home)
    sets, rows = score_rows(home)
    if picture is not None and rows:
        from tidzam_platform.classifiers.gate.pictures import scores_picture
        from tidzam_platform.files import write_for_user

        write_for_user(picture, scores_picture(rows))
        remarks.print(f"wrote {picture}")
    for number, why in unscored.items():
        remarks.print(f"generation {number} cannot be scored: {why}", style="yellow")
    if as_json:
        print_json({"test_sets": sets, "generations": rows, "unscored": unscored})
        return
    print_table(
        "generations on the newest test sets",
        ["generation", "macro-F1", "95 % interval", "ECE", "segment macro-F1", "false alarms/h"],
        [
            (
                row["generation"],
                f"{row['macro_f1']:.3f}",
                f"{row['low']:.3f} to {row['high']:.3f}",
                f"{row['ece']:.3f}",
                _shown(row["segment_macro_f1"]),
                _shown(row["false_alarms_per_hour"]),
            )
            for row in rows
        ],
    )


COMMANDS: Final = (gate, override, scores)


def _print_verdict(kept: KeptVerdict) -> None:
    from tidzam_platform.classifiers.gate.class_falls import CLASS_COLUMNS, class_rows

    beside = f" beside generation {kept.incumbent}" if kept.incumbent else ""
    beside += f" and {kept.best}, the best ever promoted" if kept.best else ""
    print_line(f"generation {kept.generation}{beside}: {'passed' if kept.verdict.passed else 'refused'}")
    if kept.override:
        print_line(f"overridden by {kept.override['by']}, {kept.override['at']}: {kept.override['reason']}")
    print_table(
        "parts of the gate",
        ["part", "", "why"],
        [(one.name, "passed" if one.passed else "REFUSED", one.words) for one in kept.verdict.findings],
    )
    classes = kept.verdict.finding("classes").figures.get("classes", [])
    if classes:
        print_table("classes", CLASS_COLUMNS, class_rows(classes))
    figures = kept.verdict.finding("clips").figures
    worse = figures.get("worse_clips", [])
    if worse:
        print_table(
            f"clips that changed for the worse: {min(len(worse), _SHOWN_CLIPS)} of {figures['worse']}, "
            "the surest first (--json: more)",
            ["clip in the store", "truth", "was heard as", "is heard as", "confidence"],
            [
                (
                    one["store_key"],
                    *(", ".join(one[key]) for key in ("truth", "was", "is")),
                    _shown(one["confidence"]),
                )
                for one in worse[:_SHOWN_CLIPS]
            ],
        )


def _shown(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"
