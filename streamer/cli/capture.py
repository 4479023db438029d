"""``./tidzam capture``: let a Tidzam hear this computer's microphone."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from streamer.cli.asking import ask_why_nothing_is_heard
from tidzam_platform.cli.output import json_option, print_json, print_line, remarks
from tidzam_platform.errors import TidzamError
from tidzam_platform.operations.ports import join_address
from tidzam_platform.operations.termination import sigterm_like_ctrl_c
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

    What is heard in it is shown as it comes, a line when it changes; where this machine's analyzer hears nothing yet,
    e.g. because there is no generation, that is said. With --json one object says in the end what was
    sent. A sound card that is pulled out and a connection that breaks are noticed within seconds and end it with an
    error.
    """
    from streamer.capture import Captured, HeardLines, Microphone, send

    if not _DEVICE.fullmatch(device):
        raise click.BadParameter("letters, digits and :,=._- make a device's name", param_hint="--device")
    if url is not None:
        _require_web_address(url)
    address = _own_address() if url is None else url.rstrip("/")
    token = token_file.read_text().strip() if token_file else os.environ.get("TIDZAM_TOKEN", "")
    kept_from_hearing = _why_nothing_is_heard() if address == _own_address() else ""  # others we cannot ask
    shown = Captured()
    heard = HeardLines()

    def note(captured: Captured) -> None:
        nonlocal shown
        if captured is not shown:
            kept = f", kept as {captured.kept_as}" if captured.kept_as else ""
            remarks.print(f"heard as {captured.port}{kept}; Ctrl-C ends")
            if kept_from_hearing:
                remarks.print(f"nothing is heard yet: {kept_from_hearing}", style="yellow")
        shown = captured

    def tell(event: Any) -> None:
        if not as_json:
            for line in heard.lines(event):
                print_line(line)

    try:
        with sigterm_like_ctrl_c(), Microphone(device, file) as microphone:
            send(microphone.blocks(), address, token=token, storage=keep, on_event=tell, on_progress=note)
    except KeyboardInterrupt:
        remarks.print("")
    except TidzamError:
        if shown.port:
            _say_what_was_sent(vars(shown), as_json=as_json)
        raise
    _say_what_was_sent(vars(shown), as_json=as_json)


def _say_what_was_sent(sent: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(sent)
    else:
        print_line(f"{sent['seconds']:.1f} s sent, {sent['dropped_frames']} frames dropped")


def _why_nothing_is_heard() -> str:
    """What keeps this machine's analyzer from hearing, that none runs too; asked before anything is sent."""
    try:
        return ask_why_nothing_is_heard()
    except TidzamError as error:
        return str(error)


def _require_web_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_ours = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_ours = False
    if not is_ours:
        raise click.BadParameter(
            f"{url!r} is no address of a web process: write http://host:8080 or https://host",
            param_hint="--url",
        )


def _own_address() -> str:
    web = load_settings().web
    return f"http://{join_address(web.host, web.port)}"
