"""``./tidzam engine``: the realtime engine in the foreground."""

from __future__ import annotations

import click

from tidzam_platform.cli.output import json_option
from tidzam_platform.settings import load_settings


@click.command(
    epilog="""\b
Examples:
  ./tidzam engine                                 until Ctrl-C; ./tidzam start runs it in the background
  TIDZAM_GRAPH__KIND=clock ./tidzam engine        without JACK
  ./tidzam engine --json                          one line of JSON once it runs
"""
)
@json_option
def engine(as_json: bool) -> None:
    """Run the engine: sources into JACK, the archive written, channels to listen to.

    Runs until Ctrl-C or SIGTERM. ./tidzam source add tells it what to listen to, ./tidzam status what is heard.
    """
    from streamer.engine.one_blas_thread import keep_blas_to_one_thread

    keep_blas_to_one_thread()
    from streamer.engine.process import run_engine

    run_engine(load_settings(), as_json=as_json)
