"""``./tidzam analyze``: what is heard in files, or on the channels that sound now."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Final

import click

from serving.cli.analyze import analyze as analyze_files

_NOT_LIVE: Final = ("as_csv", "as_audacity", "with_windows", "shadow")


def _analyze(
    ctx: click.Context,
    jack: str | None,
    stream: Path | None,
    show: bool,
    files: tuple[Path, ...],
    **of_files: Any,
) -> None:
    from streamer.cli.live_analysis import Display, hear_channels, hear_stream, patterns_of

    if jack is None and stream is None:
        if not files:
            raise click.UsageError("name a FILE, --jack PATTERNS or --stream FILE")
        if show:
            raise click.UsageError("--show goes with --jack and --stream")
        ctx.invoke(analyze_files, files=files, **of_files)
        return
    if files or (jack is not None and stream is not None):
        raise click.UsageError("choose one of FILE..., --jack and --stream")
    refused = [name for name in _NOT_LIVE if of_files[name]]
    of_streams = (of_files["channel"], of_files["generation"])
    if refused or (jack is not None and any(value is not None for value in of_streams)):
        raise click.UsageError(
            "with --jack and --stream go --json, --show, --server; "
            "with --stream also --channel, --local, --generation"
        )
    display = Display(as_json=of_files["as_json"], show=show)
    if jack is not None:
        if of_files["local"]:
            raise click.UsageError("--jack asks the model server; --local goes with files")
        hear_channels(patterns_of(jack), of_files["server"], display)
    elif stream is not None:
        hear_stream(
            stream,
            display,
            channel=of_files["channel"],
            server=of_files["server"],
            local=of_files["local"],
            generation=of_files["generation"],
        )


def _optional_files(parameter: click.Parameter) -> click.Parameter:
    changed = copy.copy(parameter)
    if changed.name == "files":
        changed.required = False
    return changed


analyze = click.Command(
    name="analyze",
    callback=click.pass_context(_analyze),
    params=[
        *(_optional_files(parameter) for parameter in analyze_files.params),
        click.Option(
            ["--jack"],
            metavar="PATTERN[,PATTERN...]",
            help="Hear channels of the engine as they sound, e.g. 'marsh:*,pond:out_1'.",
        ),
        click.Option(
            ["--stream"],
            type=click.Path(path_type=Path, exists=True),
            help="Hear a file, or a folder of them, window by window, as if it sounded now.",
        ),
        click.Option(
            ["--show"], is_flag=True, help="With --jack and --stream: draw the spectrogram and what is heard."
        ),
    ],
    help=(analyze_files.help or "")
    + """
      ./tidzam analyze --jack 'marsh:*'
      ./tidzam analyze --stream recordings/ --show

    --jack and --stream answer for each window as it sounds, until Ctrl-C, and keep nothing; what is heard for good
    is the analyzer's work (./tidzam start, ./tidzam events).""",
)
