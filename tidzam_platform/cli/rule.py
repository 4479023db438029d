"""``./tidzam rule``: which clips are kept of live audio."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks

if TYPE_CHECKING:
    from tidzam_platform.clips import StoredRule, UnreadableRule


@click.group(
    epilog="""\b
Examples:
  ./tidzam rule add --classes birds --rate auto --at-least 100     balance the species
  ./tidzam rule add --forbid --classes human                       keep no voices
  ./tidzam rule list                                               which there are, and their clips
"""
)
def rule() -> None:
    """Rules of the recorder: which sounds become clips to be labelled, and which must never."""


@rule.command(
    epilog="""\b
Examples:
  ./tidzam rule add --classes birds,frogs --rate auto --at-least 100 --length 3
  ./tidzam rule add --channels 'marsh:out_*' --classes unknown --rate 0.05 --daily-quota 50
  ./tidzam rule add --classes birds-bittern --score '0.3 to 0.6' --times 22:00-04:00 --zone Europe/Paris
  ./tidzam rule add --forbid --classes human
"""
)
@click.option("--channels", multiple=True, help="Patterns of channels: 'marsh:out_*'. [default: all]")
@click.option(
    "--classes", multiple=True, help="Classes with what lies below them; unknown; * for all. [default: *]"
)
@click.option("--score", help="Range of the class's score: '0.3 to 0.6'.")
@click.option(
    "--uncertainty", type=float, help="Only where the best class leads the second by less than this."
)
@click.option(
    "--disagreement", is_flag=True, help="Only where the canary's answer differs from the stable one's."
)
@click.option("--rate", help="Share that is kept, 0 to 1, or auto: rare classes more. [default: 1]")
@click.option("--at-least", type=int, help="With auto: clips of a class that are kept before it weighs.")
@click.option(
    "--length", "length_s", type=click.FloatRange(0.5, 60), help="Of a clip, 0.5 to 60 s. [default: 3]"
)
@click.option("--object-filter", is_flag=True, help="Skip sounds that are cut by the clip's ends.")
@click.option("--destination", help="Name for people to find its clips. [default: unchecked]")
@click.option("--times", multiple=True, help="When it holds: 22:00-04:00.")
@click.option("--days", multiple=True, help="When it holds: mon,tue,wed,thu,fri,sat,sun.")
@click.option("--zone", help="IANA time zone of --times and --days. [default: UTC]")
@click.option("--daily-quota", type=int, help="Most clips a day.")
@click.option("--total-quota", type=int, help="Most clips in all.")
@click.option(
    "--cooldown", "cooldown_s", type=float, help="Pause of a channel after a clip, s. [default: length]"
)
@click.option("--distinct", type=float, help="Skip sounds nearer than this to kept ones (cosine distance).")
@click.option("--forbid", is_flag=True, help="No rule keeps audio of these classes, nor next to it.")
@click.option("--by", default=getpass.getuser, show_default="your login", help="Who adds it.")
@json_option
def add(
    times: tuple[str, ...],
    days: tuple[str, ...],
    zone: str | None,
    by: str,
    as_json: bool,
    channels: tuple[str, ...],
    classes: tuple[str, ...],
    **given: Any,
) -> None:
    """Add a rule; a running analyzer follows it within seconds. docs/clips.md explains each part."""
    from tidzam_platform.clips.preroll import require_preroll
    from tidzam_platform.clips.rules import RecorderRuleSpec
    from tidzam_platform.clips.rules_store import add_rule, classes_not_known
    from tidzam_platform.home import Home

    schedule = {"times": _joined(times), "days": _joined(days), "zone": zone}
    schedule = {name: value for name, value in schedule.items() if value}
    spec = RecorderRuleSpec.parse(
        {
            # 0 is said, and judged; a flag that is not given says nothing.
            **{name: value for name, value in given.items() if value is not None and value is not False},
            "channels": _joined(channels),
            "classes": _joined(classes),
            "schedule": schedule or None,
        }
    )
    home = Home.open()
    require_preroll(spec, home.settings.clips.preroll_mb)
    strange = classes_not_known(home.catalog, spec)
    made = add_rule(home.catalog, spec, by)
    if as_json:
        print_json({**made.as_dict(), "unknown_classes": strange})
    else:
        print_line(f"rule {made.id}: {_said(made)}")
    for path in strange:
        remarks.print(
            f"no generation and no label knows the class {path!r}: rule {made.id} waits for it; was another one meant? "
            "./tidzam taxonomy list shows those that are known",
            style="yellow",
        )


@rule.command(
    name="list",
    epilog="""\b
Examples:
  ./tidzam rule list
  ./tidzam rule list --removed --json
""",
)
@click.option("--removed", is_flag=True, help="Also those that were removed.")
@json_option
def list_(removed: bool, as_json: bool) -> None:
    """List the rules, and how many clips of each there are; rules that cannot be read stand apart, with the reason."""
    from tidzam_platform.clips import read_rules
    from tidzam_platform.clock import format_utc
    from tidzam_platform.home import Home

    rules, unreadable = read_rules(Home.open().catalog, removed=removed, counted=True)
    if as_json:
        print_json(
            {
                "rules": [one.as_dict() for one in rules],
                "unreadable": [one.as_dict() for one in unreadable],
            }
        )
        return
    everything: list[StoredRule | UnreadableRule] = [*rules, *unreadable]
    print_table(
        "rules",
        ["id", "what", "clips", "by", "since"],
        [
            (
                one.id,
                _said(one) + (" (removed)" if one.removed_at else ""),
                one.clips,
                one.made_by,
                format_utc(one.made_at),
            )
            for one in sorted(everything, key=lambda one: one.id)
        ],
    )
    for broken in unreadable:
        if broken.removed_at is None:
            remarks.print(f"rule {broken.id}: {broken.problem}", style="yellow")


@rule.command(
    epilog="""\b
Example:
  ./tidzam rule remove 3
"""
)
@click.argument("rule_id", metavar="ID", type=int)
@json_option
def remove(rule_id: int, as_json: bool) -> None:
    """Remove a rule, also one that cannot be read: it keeps nothing any more; its clips stay."""
    from tidzam_platform.clips.rules_store import remove_rule
    from tidzam_platform.home import Home

    removed = remove_rule(Home.open().catalog, rule_id)
    if as_json:
        print_json(removed.as_dict())
    else:
        print_line(f"rule {removed.id} keeps nothing any more: {_said(removed)}")


def _joined(words: tuple[str, ...]) -> str:
    return ",".join(words)


def _said(one: StoredRule | UnreadableRule) -> str:
    from tidzam_platform.clips import UnreadableRule

    if isinstance(one, UnreadableRule):
        return "cannot be read"
    verb = "forbid" if one.spec.forbid else "keep"
    said = one.spec.summary()
    return f"{verb} {', '.join(one.spec.classes)} of {', '.join(one.spec.channels)}{f' ({said})' if said else ''}"
