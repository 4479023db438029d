"""``./tidzam generation shadow``, and the option that lets a canary hear too."""

from __future__ import annotations

from typing import Any, Final

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks
from tidzam_platform.settings import load_settings

_DISAGREEMENTS: Final = 20
_NONE: Final = "-"

share_option: Final = click.option(
    "--shadow",
    metavar="SHARE",
    type=click.FloatRange(0, 1, min_open=True),
    help="The canary hears this share of the windows too (1: all); ./tidzam generation shadow compares.",
)


@click.command()
@click.option("--stable", metavar="N", type=click.IntRange(1), help="Where this generation was stable.")
@click.option(
    "--canary",
    metavar="M",
    type=click.IntRange(1),
    help="Where this one was the canary (default: the pair compared last).",
)
@json_option
def shadow(stable: int | None, canary: int | None, as_json: bool) -> None:
    """Compare what the canary said with what the stable generation said of the same windows.

    `analyze --shadow` lets a canary hear too. Agreement, differences of scores: of windows that one of both did not
    take for no_signal.

    \b
    Examples:
      ./tidzam generation shadow
      ./tidzam generation shadow --stable 4 --canary 5 --json
    """
    from contextlib import closing

    from serving.shadow import shadow_report
    from tidzam_platform.catalog import Catalog
    from tidzam_platform.home import make_home_folder

    settings = load_settings()
    make_home_folder(settings.home)
    with closing(Catalog.open(settings.catalog_url)) as catalog:
        report = shadow_report(catalog, stable, canary, disagreements=_DISAGREEMENTS)
    comparison = report["comparison"]
    if comparison is None:
        remarks.print(
            "no such windows were compared yet: ./tidzam analyze --shadow 1 FILE lets a canary hear"
        )
    if as_json:
        print_json(report)
    elif comparison is not None:
        _print(comparison)
        others = [one for one in report["pairs"] if (one["stable"], one["canary"]) != _pair(comparison)]
        if others:
            pairs = ", ".join(f"{one['stable']} and {one['canary']}" for one in others)
            print_line(f"compared before (--stable, --canary): {pairs}")


def _pair(comparison: dict[str, Any]) -> tuple[int, int]:
    return comparison["stable"], comparison["canary"]


def _print(comparison: dict[str, Any]) -> None:
    stable, canary = _pair(comparison)
    print_line(
        f"stable {stable} and canary {canary}, {comparison['first_at']} to {comparison['last_at']}: "
        f"{comparison['windows']} windows compared ({comparison['quiet']} of them no_signal for both), "
        f"{comparison['unusable']} without usable scores"
    )
    print_line(
        f"same answer: {_percent(comparison['agreement'])}, "
        f"same best class: {_percent(comparison['leaf_agreement'])}"
    )
    print_table(
        "how often each class is heard, and how scores differ (canary less stable)",
        ["class", f"stable {stable}", f"canary {canary}", "mean", "mean size", "largest"],
        [
            (
                one["class"],
                *(_percent(one[f"{side}_rate"]) for side in ("stable", "canary")),
                _number(one["mean_difference"], "+.3f"),
                _number(one["mean_absolute_difference"], ".3f"),
                _number(one["largest_difference"], ".3f"),
            )
            for one in comparison["classes"]
        ],
    )
    print_table(
        "time until a batch is answered, ms",
        ["", "mean", "p50", "p90", "p99"],
        [
            (side, *(_milliseconds(seconds) for seconds in comparison["latency"][side].values()))
            for side in ("stable", "canary")
        ],
    )
    print_table(
        "newest disagreements",
        ["time", "channel", "window", f"stable {stable}", f"canary {canary}"],
        [
            (
                one["at"],
                one["channel"],
                one["start"],
                *(f"{one[side]['class']} {one[side]['score']:.2f}" for side in ("stable", "canary")),
            )
            for one in comparison["disagreements"]
        ],
    )


def _percent(share: float | None) -> str:
    return _NONE if share is None else f"{share:.1%}"


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)


def _milliseconds(seconds: float | None) -> str:
    return _NONE if seconds is None else f"{1000 * seconds:.1f}"
