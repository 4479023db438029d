"""``./tidzam analyzer``: every channel is heard as it sounds, in the foreground."""

from __future__ import annotations

import click

from tidzam_platform.cli.output import json_option
from tidzam_platform.settings import load_settings


@click.command(
    epilog="""\b
Examples:
  ./tidzam analyzer             until Ctrl-C; ./tidzam start runs it in the background
  ./tidzam analyzer --json      one line of JSON once it runs
"""
)
@json_option
def analyzer(as_json: bool) -> None:
    """Hear every channel of the engine: detections into the catalog, clips by rule, outputs and alerts.

    Runs until Ctrl-C or SIGTERM. It waits for engine and model server where they are away; ./tidzam events shows what
    it hears, ./tidzam rule says which clips are kept.
    """
    from streamer.analyzer.process import run_analyzer

    run_analyzer(load_settings(), as_json=as_json)
