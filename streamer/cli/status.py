"""``./tidzam status``: what is heard now, channel by channel."""

from __future__ import annotations

import click

from streamer.cli.asking import ask_engine, ask_why_nothing_is_heard
from streamer.cli.channel_words import mixer_words
from tidzam_platform.cli.output import json_option, print_json, print_line, print_table
from tidzam_platform.errors import TidzamError


@click.command(
    epilog="""\b
Examples:
  ./tidzam status
  ./tidzam status --json | jq '.channels[] | select(.sounding | not)'
  ./tidzam status --json | jq '.without_channels[] | {name, state, reason}'
"""
)
@json_option
def status(as_json: bool) -> None:
    """Show each channel: since when it sounds or is silent, and why; how loud it is and what the mixer does to it.

    Sources that have no channels yet, because they wait, failed or could not be started, follow with the reason. Where
    the analyzer says that nothing is heard, e.g. because there is no generation yet, that is told too.
    """
    engine, channels = ask_engine("status"), ask_engine("channels.list")["channels"]
    without_channels = [one for one in ask_engine("sources.list")["sources"] if not one["channels"]]
    nothing_heard = _why_nothing_is_heard()
    if as_json:
        print_json(
            {
                "engine": engine,
                "channels": channels,
                "without_channels": without_channels,
                "nothing_heard": nothing_heard,
            }
        )
        return
    print_line(
        f"engine (process {engine['pid']}) since {engine['since']}: {engine['sources']} source(s), "
        f"{engine['channels']} channel(s)"
    )
    if nothing_heard:
        print_line(f"nothing is heard: {nothing_heard}")
    print_table(
        "channels",
        ["channel", "", "since", "why", "peak dBFS", "RMS dBFS", "mixer"],
        [
            [
                one["channel"],
                "sounds" if one["sounding"] else "silent",
                one["since"],
                one.get("why") or "",
                _level(one["peak_dbfs"]),
                _level(one["rms_dbfs"]),
                mixer_words(one, engine["mixer"]["solo"]),
            ]
            for one in channels
        ],
    )
    if without_channels:
        print_table(
            "sources without channels",
            ["source", "state", "since", "reason"],
            [
                [
                    one["name"],
                    "ending" if one["ending"] else one["state"],
                    one["state_since"] or "",
                    one["reason"],
                ]
                for one in without_channels
            ],
        )


def _why_nothing_is_heard() -> str:
    """What the analyzer says of it; empty where none answers: one need not run to listen and to record."""
    try:
        return ask_why_nothing_is_heard()
    except TidzamError:
        return ""


def _level(dbfs: float | None) -> str:
    return "" if dbfs is None else f"{dbfs:.1f}"
