"""``./tidzam listen``: one channel, in this terminal's loudspeaker or in a file."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from streamer.cli.asking import ask_engine
from streamer.cli.listened_file import write_listened
from streamer.cli.mounts import open_mount
from tidzam_platform.cli.output import json_option, print_json, print_line, remarks
from tidzam_platform.cli.output_file import OutputFile
from tidzam_platform.errors import FetchError, MissingSystemPartError, SourceError
from tidzam_platform.operations.termination import sigterm_like_ctrl_c

# mpv, and nothing of what it reads from elsewhere: no scripts, no configuration, no helper programs.
_MPV_OPTIONS = ("--no-config", "--ytdl=no", "--load-scripts=no", "--no-video", "--really-quiet", "--cache=no")


@click.command(
    epilog="""\b
Examples:
  ./tidzam listen pond:out_1                            hear it, until Ctrl-C
  ./tidzam listen pond:out_1 --output minute.ogg --seconds 60
  ./tidzam listen pond:out_1 --json                     where any player hears it
"""
)
@click.argument("channel")
@click.option("--output", type=OutputFile(), help="Write it to a file instead.")
@click.option("--seconds", type=click.FloatRange(0.1), help="End after so long; a file needs it.")
@click.option("--verbose", is_flag=True, help="Show what the player says of this machine's sound.")
@json_option
@sigterm_like_ctrl_c()
def listen(channel: str, output: Path | None, seconds: float | None, verbose: bool, as_json: bool) -> None:
    """Listen to CHANNEL (<source>:out_<n>) as the mixer gives it, through Icecast.

    A file keeps what was heard also where the stream or Ctrl-C ends it early; how much that is is told, and then the
    exit code is not 0.
    """
    if output is not None and seconds is None:
        raise click.UsageError("say how long with --seconds")
    there = ask_engine("channels.list")["channels"]
    names = [str(one["channel"]) for one in there]
    mounts = _mounts(channel, there, names)
    if output is not None:
        _write(channel, mounts[0], names, output, seconds or 0.0, as_json=as_json)
    elif as_json:
        print_json({"channel": channel, "mounts": mounts})
    else:
        _play(channel, mounts[0], names, seconds, verbose=verbose)


def _mounts(channel: str, there: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    if channel not in names:
        known = f"there are {', '.join(names)}" if names else "there is none at all: ./tidzam source add"
        raise SourceError(f"there is no channel {channel}; {known}")
    mounts = list(there[names.index(channel)]["mounts"])
    if not mounts:
        raise SourceError(f"nobody can listen to {channel}: Icecast is off (settings: icecast.enabled)")
    return mounts


def _play(channel: str, mount: str, names: Sequence[str], seconds: float | None, *, verbose: bool) -> None:
    player = shutil.which("mpv")
    if player is None:
        raise MissingSystemPartError(
            f"mpv is not installed, and plays what is heard: apt-get install mpv; or open {mount} in a browser"
        )
    remarks.print(f"{channel}: {mount}; Ctrl-C ends")
    end = () if seconds is None else (f"--length={seconds}",)
    no_proxy = {**os.environ, "no_proxy": "*"}  # Icecast is on this machine
    # Each sound system that is not there complains at length.
    complaints = None if verbose else subprocess.DEVNULL
    played = subprocess.run(
        [player, *_MPV_OPTIONS, *end, "--", mount], env=no_proxy, stderr=complaints, check=False
    )
    if played.returncode:
        open_mount(mount, names).close()  # says so where that is the reason
        raise SourceError(
            f"mpv could not play {mount}: is there a sound card? Open the address in a browser instead"
            + ("" if verbose else "; --verbose shows what mpv says")
        )


def _write(
    channel: str, mount: str, names: Sequence[str], output: Path, seconds: float, *, as_json: bool
) -> None:
    with open_mount(mount, names) as stream:
        remarks.print(f"{channel}: {mount} into {output}; Ctrl-C ends")
        heard = write_listened(stream, output, seconds)
    if as_json:
        told = {"seconds": round(heard.seconds, 3), "bytes": heard.bytes, "why_short": heard.why_short}
        print_json({"channel": channel, "mount": mount, "output": str(output), **told})
    else:
        print_line(f"{heard.seconds:.1f} s of {channel} ({heard.bytes} bytes) are in {output}")
    if heard.interrupt is not None:
        raise heard.interrupt
    if heard.why_short:
        raise FetchError(
            f"{channel} ended after {heard.seconds:.1f} s of {seconds:g} s: {heard.why_short}; "
            f"what was heard is in {output}"
        )
