"""``./tidzam listen``: one channel, in this terminal's loudspeaker or in a file."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import click

from streamer.cli.asking import ask_engine
from tidzam_platform.audio.ffmpeg import program
from tidzam_platform.cli.output import json_option, print_json, print_line, remarks
from tidzam_platform.errors import SourceError
from tidzam_platform.files import whole_file

_SILENT_S: Final = 30.0
_READ_BYTES: Final = 1 << 14
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
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to a file instead.")
@click.option("--seconds", type=click.FloatRange(0.1), help="End after so long; a file needs it.")
@json_option
def listen(channel: str, output: Path | None, seconds: float | None, as_json: bool) -> None:
    """Listen to CHANNEL (<source>:out_<n>) as the mixer gives it, through Icecast."""
    if output is not None and seconds is None:
        raise click.UsageError("say how long with --seconds")
    mounts = _mounts(channel)
    if as_json:
        print_json({"channel": channel, "mounts": mounts})
        return
    if output is not None:
        _write(mounts[0], output, seconds or 0.0)
        print_line(f"{seconds:g} s of {channel} are in {output}")
        return
    remarks.print(f"{channel}: {mounts[0]}; Ctrl-C ends")
    end = () if seconds is None else (f"--length={seconds}",)
    played = subprocess.run([program("mpv"), *_MPV_OPTIONS, *end, "--", mounts[0]], check=False)
    if played.returncode:
        raise SourceError(
            f"mpv could not play {mounts[0]}: is there a sound card? Open the address in a browser instead"
        )


def _mounts(channel: str) -> list[str]:
    for one in ask_engine("channels.list")["channels"]:
        if one["channel"] == channel:
            if not one["mounts"]:
                raise SourceError(
                    f"nobody can listen to {channel}: Icecast is off (settings: icecast.enabled)"
                )
            return list(one["mounts"])
    raise SourceError(f"there is no channel {channel}; see ./tidzam status")


def _write(mount: str, output: Path, seconds: float) -> None:
    """The stream's own packets for so long, as an Ogg file that is whole or absent."""
    copying = ("-protocol_whitelist", "pipe", "-f", "ogg", "-i", "pipe:0", "-t", str(seconds), "-c", "copy")
    command = [program("ffmpeg"), "-hide_banner", "-loglevel", "error", *copying, "-f", "ogg", "pipe:1"]
    with (
        whole_file(output) as partial,
        partial.open("wb") as file,
        urlopen(mount, timeout=_SILENT_S) as stream,  # noqa: S310 - the address is the engine's own
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file) as ffmpeg,
    ):
        pipe = ffmpeg.stdin
        assert pipe is not None  # noqa: S101 - it was asked for
        try:
            while ffmpeg.poll() is None and (heard := stream.read1(_READ_BYTES)):
                pipe.write(heard)
                pipe.flush()
        except BrokenPipeError:
            pass  # ffmpeg has all that it wanted
        finally:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        if ffmpeg.wait(_SILENT_S):
            raise SourceError(f"what {mount} gave could not be written to {output}; see what ffmpeg said")
