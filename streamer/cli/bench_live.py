"""``./tidzam bench live``."""

from __future__ import annotations

import click

from streamer.cli.bench_options import channels_option, per_source_option, search_option, seconds_option
from tidzam_platform.cli.output import json_option, print_json, print_table, remarks
from tidzam_platform.operations.termination import sigterm_like_ctrl_c


@click.command("live")
@channels_option("Channels that sound first.")
@seconds_option
@per_source_option("Windows of all channels of a source end at the same time.")
@click.option(
    "--spread-s",
    type=click.FloatRange(0, 60),
    default=0.0,
    show_default=True,
    help="The last source begins so much later than the first; 0: all windows end at the same time.",
)
@click.option(
    "--from",
    "place",
    type=click.Choice(["socketio", "analyzer"]),
    default="socketio",
    show_default=True,
    help="Where results are waited for: at a client of the web process, or at the analyzer's socket.",
)
@search_option
@json_option
@sigterm_like_ctrl_c()
def live(
    channels: int,
    seconds: float,
    channels_per_source: int,
    spread_s: float,
    place: str,
    search: bool,
    as_json: bool,
) -> None:
    """Hear a tone on each channel live, from JACK to a client of Socket.IO: how many channels, and how soon.

    Engine with jackd, embedded model server, analyzer and web process run as their users start them, on data folders
    of their own; the model has the default architecture and random weights. A number of channels holds if every
    window came, none late by way of the spool, and 99 % within half a second of the end of their audio.

    \b
    Examples:
      ./tidzam bench live --json
      ./tidzam bench live --channels 64 --seconds 30 --no-search
      ./tidzam bench live --from analyzer --no-search
    """
    from streamer.analyzer.benchmarks.followers import Place
    from streamer.analyzer.benchmarks.live import bench_live
    from tidzam_platform.settings import load_settings

    figures = bench_live(
        load_settings(),
        channels=channels,
        channels_per_source=channels_per_source,
        spread_s=spread_s,
        seconds=seconds,
        place=Place(place),
        search=search,
        say=remarks.print,
    )
    if as_json:
        print_json(figures)
        return
    rows = [(name, str(figures[name])) for name in ("channels", "windows", "dropped", "twice", "xruns")]
    rows += [
        (f"{name[:3]}, ms", "none came" if figures[name] is None else f"{figures[name]:.0f}")
        for name in ("p50_ms", "p99_ms", "max_ms")
    ]
    rows += [(f"CPU of all cores, {name}", f"{share:.1%}") for name, share in figures["cpu_share"].items()]
    print_table(f"Heard live through {figures['graph']}", ("what", "figure"), rows)
    if not figures["holds"]:
        click.echo("this does not hold: see dropped_because and p99_ms of --json")
