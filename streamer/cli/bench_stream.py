"""``./tidzam bench stream``."""

from __future__ import annotations

import click

from streamer.cli.bench_options import channels_option, per_source_option, search_option, seconds_option
from tidzam_platform.cli.output import json_option, print_json, print_table, remarks


@click.command("stream")
@channels_option("Channels that sound.")
@seconds_option
@per_source_option("Each source is a child process, a feeder thread and a client of JACK.")
@click.option(
    "--busy-threads",
    type=click.IntRange(0, 16),
    default=3,
    show_default=True,
    help="Threads of Python that compute all the time beside the engine's own.",
)
@search_option
@json_option
def stream(
    channels: int, seconds: float, channels_per_source: int, busy_threads: int, search: bool, as_json: bool
) -> None:
    """Carry a tone on each channel from sources through the audio graph to a reader: what is lost, and why.

    The graph is that of the settings (JACK with the dummy driver unless told otherwise), on a server of its own. The
    reader is another process and holds each sample against what was sent.

    \b
    Examples:
      ./tidzam bench stream --channels 128 --seconds 120 --json
      ./tidzam bench stream --no-search
      TIDZAM_GRAPH__PERIOD_FRAMES=256 ./tidzam bench stream --no-search
    """
    from streamer.engine.benchmarks.stream import measure_stream
    from tidzam_platform.settings import load_settings

    figures = measure_stream(
        load_settings().graph,
        channels=channels,
        channels_per_source=channels_per_source,
        seconds=seconds,
        busy_threads=busy_threads,
        search=search,
        say=remarks.print,
    )
    if as_json:
        print_json(figures)
        return
    slope = figures["memory_slope_mb_per_hour"]
    rows = [
        ("lost", f"{figures['lost_fraction']:.2e}"),
        ("lost, unexplained", figures["lost_unexplained"]),
        ("xruns", figures["xruns"]),
        ("samples of another channel", figures["channel_mixups"]),
        ("CPU of all cores, engine and jackd", f"{figures['cpu_share']:.1%}"),
        ("growth of memory, MB an hour", "too short" if slope is None else f"{slope:.1f}"),
        ("largest number of channels", figures["largest_channels"] or "not looked for"),
    ]
    print_table(f"{channels} channels through {figures['graph']}", ("what", "figure"), rows)
