"""The commands ``tidzam audio``: looking at audio files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tidzam_platform.audio import AudioInfo, probe
from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks
from tidzam_platform.errors import AudioError


@click.group()
def audio() -> None:
    """Look at audio files: codec, rate, channels, length, and where audio is missing."""


@audio.command("probe")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def probe_command(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Say what is in each FILE, and where audio is missing.

    Works for Ogg (Opus, Vorbis, FLAC), FLAC, WAV, MP3, AAC, MP4, Matroska, AIFF, CAF and AU, told by content and
    not by name. Exit code 2 if any FILE cannot be used.

    \b
    Examples:
      ./tidzam audio probe recording.opus
      ./tidzam audio probe recording.opus --json
      ./tidzam audio probe archive/*.opus --json

    \b
    --json answers for one FILE {"file", "container", "codec", "rate_hz", "channels", "seconds", "holes",
    "truncated", "tags"}, where holes is a list of [start_s, end_s]; for several {"files": [...]}.
    A FILE that cannot be used answers {"file", "error", "message"}.
    """
    found: list[tuple[Path, AudioInfo | AudioError]] = []
    for file in files:
        try:
            found.append((file, probe(file)))
        except AudioError as error:
            found.append((file, error))
    if as_json:
        answers = [_answer(file, result) for file, result in found]
        print_json(answers[0] if len(files) == 1 else {"files": answers})
    else:
        _print(found)
    failures = [result for _, result in found if isinstance(result, AudioError)]
    if len(failures) == len(files) == 1:
        raise failures[0]
    if failures:
        ctx.exit(AudioError.exit_code)


def _answer(file: Path, result: AudioInfo | AudioError) -> dict[str, Any]:
    if isinstance(result, AudioError):
        return {"file": str(file), "error": type(result).__name__, "message": str(result)}
    return {
        "file": str(file),
        "container": result.container,
        "codec": result.codec,
        "rate_hz": result.rate_hz,
        "channels": result.channels,
        "seconds": result.seconds,
        "holes": [list(hole) for hole in result.holes],
        "truncated": result.truncated,
        "tags": dict(result.tags),
    }


def _print(found: list[tuple[Path, AudioInfo | AudioError]]) -> None:
    usable = [(file, result) for file, result in found if isinstance(result, AudioInfo)]
    if usable:
        rows = [
            (
                file.name,
                info.container,
                info.codec,
                f"{info.rate_hz} Hz",
                info.channels,
                f"{info.seconds:.3f} s",
            )
            for file, info in usable
        ]
        print_table("Audio files", ("file", "container", "codec", "rate", "channels", "length"), rows)
    for file, info in usable:
        for start_s, end_s in info.holes:
            print_line(f"{file.name}: audio is missing from {start_s:.3f} s to {end_s:.3f} s")
        if info.truncated:
            print_line(
                f"{file.name}: cut: audio is missing after {info.seconds:.3f} s or where parts were joined"
            )
    if len(found) > 1:  # of a single one the command's own message says it
        for _, result in found:
            if isinstance(result, AudioError):
                remarks.print(f"unusable: {result}", style="red")
