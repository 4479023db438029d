"""``./tidzam capture``: let a Tidzam hear this computer's microphone."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Final

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, remarks
from tidzam_platform.operations.ports import join_address
from tidzam_platform.settings import load_settings

_DEVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:,=._-]*")


@click.command(
    epilog="""\b
Examples:
  ./tidzam capture                                          this machine's Tidzam hears the default microphone
  ./tidzam capture --device hw:1,0 --keep --token-file t    keep a recording, for labelling
  ./tidzam capture --url https://tidzam.example.org --token-file t
  ./tidzam capture --file walk.flac --json                  a file at its own speed in place of a microphone
"""
)
@click.option("--url", help="Of the web process; this machine's by default (settings: web.host, web.port).")
@click.option("--device", default="default", show_default=True, help="ALSA's name of the sound card.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Play a file in place of a card.",
)
@click.option("--keep", is_flag=True, help="Keep a recording there, for labelling.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with a token; else the variable TIDZAM_TOKEN holds one, or none is sent.",
)
@json_option
def capture(
    url: str | None, device: str, file: Path | None, keep: bool, token_file: Path | None, as_json: bool
) -> None:
    """Send what a microphone hears to Tidzam, as a live stream of its own, until Ctrl-C.

    What is heard in it is shown as it comes. With --json one object says in the end what was sent.
    """
    from streamer.capture import Captured, Microphone, send

    if not _DEVICE.fullmatch(device):
        raise click.BadParameter("letters, digits and :,=._- make a device's name", param_hint="--device")
    token = token_file.read_text().strip() if token_file else os.environ.get("TIDZAM_TOKEN", "")
    shown = Captured()

    def note(captured: Captured) -> None:
        nonlocal shown
        if not shown.port:
            kept = f", kept as {captured.kept_as}" if captured.kept_as else ""
            remarks.print(f"heard as {captured.port}{kept}; Ctrl-C ends")
        shown = captured

    def tell(event: Any) -> None:
        if not as_json:
            print_line(json.dumps(event))

    try:
        with Microphone(device, file) as microphone:
            address = url or _own_address()
            shown = send(
                microphone.blocks(), address, token=token, storage=keep, on_event=tell, on_progress=note
            )
    except KeyboardInterrupt:
        remarks.print("")
    if as_json:
        print_json(vars(shown))
    else:
        print_line(f"{shown.seconds:.1f} s sent, {shown.dropped_frames} frames dropped")


def _own_address() -> str:
    web = load_settings().web
    return f"http://{join_address(web.host, web.port)}"
