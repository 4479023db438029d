"""``./tidzam events``: what is heard, as it is heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, remarks

_KINDS = ("detections", "windows", "clips", "alerts", "all")


@click.command(
    epilog="""\b
Examples:
  ./tidzam events
  ./tidzam events --what windows --channel 'marsh:out_*'
  ./tidzam events --class birds --json | jq .class_path
"""
)
@click.option(
    "--what", type=click.Choice(_KINDS), default="detections", show_default=True, help="What is followed."
)
@click.option(
    "--channel", "channels", multiple=True, metavar="PATTERN", help="Only these, e.g. 'marsh:out_*'."
)
@click.option("--class", "class_path", metavar="PATH", help="Only this class and those below it.")
@click.option("--count", type=click.IntRange(1), help="End after so many.")
@json_option
def events(
    what: str, channels: tuple[str, ...], class_path: str | None, count: int | None, as_json: bool
) -> None:
    """Follow live results until Ctrl-C: detections as they end, every window, clips that are kept, alerts.

    With --json one object a line. Who follows too slowly is told how many events were lost; --count leaves that out.
    """
    from streamer.analyzer.control import AnalyzerClient
    from streamer.analyzer.told import LOST, chosen
    from streamer.cli.asking import told_what_comes, why_nothing_is_heard
    from streamer.engine.control import ANALYZER
    from tidzam_platform.settings import load_settings

    told, home = 0, load_settings().home
    with told_what_comes(home, ANALYZER), AnalyzerClient(home) as client:
        if why := why_nothing_is_heard(client.request("status")):
            remarks.print(f"nothing is heard yet: {why}", style="yellow")
        for event in client.events():
            for one in chosen(event, what, channels, class_path):
                is_lost = one["event"] == LOST
                if as_json:
                    print_json(one)
                elif is_lost:
                    remarks.print(f"{one['count']} events were lost: this is read too slowly", style="yellow")
                else:
                    print_line(_as_line(one))
                told += not is_lost
                if told == count:
                    return


def _as_line(one: Mapping[str, Any]) -> str:
    kind = one["event"]
    if kind == "window":
        return f"{one['time']}  {one['chan']}  {', '.join(one['result'])}"
    if kind == "detection":
        return f"{one['start']}  {one['channel']}  {one['class_path']}  {one['score']:.2f}"
    said = "  ".join(f"{key}={value}" for key, value in one.items() if key not in ("event", "time"))
    return f"{one.get('time', '')}  {kind}  {said}".strip()
