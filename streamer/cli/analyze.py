"""``./tidzam analyze``: what is heard in files, or on the channels that sound now."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from serving.cli.analyze import analyze as analyze_files

if TYPE_CHECKING:
    from streamer.cli.extracting import Clips
    from streamer.cli.live_analysis import Display

_ALL: Final = "*"  # channels
_NOT_LIVE: Final = ("as_csv", "as_audacity", "with_windows", "shadow")


def _analyze(
    ctx: click.Context,
    jack: str | None,
    stream: Path | None,
    show: bool,
    extract: tuple[str, ...],
    extract_channels: str,
    out: Path | None,
    files: tuple[Path, ...],
    **of_files: Any,
) -> None:
    from streamer.cli.live_analysis import Display, hear_channels, hear_stream, patterns_of

    if jack is None and stream is None:
        if not files:
            raise click.UsageError("name a FILE, --jack PATTERNS or --stream FILE")
        if show:
            raise click.UsageError("--show goes with --jack and --stream")
        if extract or out is not None:
            raise click.UsageError("--extract and --out go with --jack and --stream")
        ctx.invoke(analyze_files, files=files, **of_files)
        return
    if files or (jack is not None and stream is not None):
        raise click.UsageError("choose one of FILE..., --jack and --stream")
    refused = [name for name in _NOT_LIVE if of_files[name]]
    of_streams = (of_files["channel"], of_files["generation"])
    if refused or (jack is not None and any(value is not None for value in of_streams)):
        raise click.UsageError(
            "with --jack and --stream go --json, --show, --server, --extract, --extract-channels, --out; "
            "with --stream also --channel, --local, --generation"
        )
    if bool(extract) != (out is not None):
        raise click.UsageError("--extract says which sounds become clips, --out where they go: give both")
    if extract_channels != _ALL and not extract:
        raise click.UsageError("--extract-channels goes with --extract")
    display = Display(as_json=of_files["as_json"], show=show)
    if jack is not None:
        if of_files["local"]:
            raise click.UsageError("--jack asks the model server; --local goes with files")
        patterns = patterns_of(jack)
        clips = _clips(extract, extract_channels, out, display, waits=False)
        hear_channels(patterns, of_files["server"], display, clips)
    elif stream is not None:
        hear_stream(
            stream,
            display,
            channel=of_files["channel"],
            server=of_files["server"],
            local=of_files["local"],
            generation=of_files["generation"],
            clips=_clips(extract, extract_channels, out, display, waits=True),
        )


def _clips(
    texts: tuple[str, ...], channels: str, out: Path | None, display: Display, *, waits: bool
) -> Clips:
    """What the options say of clips; RuleError where that makes no sense."""
    from streamer.analyzer.extraction import Extraction, extraction_rules
    from streamer.cli.extracting import Clips
    from streamer.cli.live_analysis import patterns_of
    from tidzam_platform.settings import load_settings

    if out is None:
        return Clips()
    settings = load_settings()
    rules = extraction_rules(texts, patterns_of(channels), settings.clips.preroll_mb)
    extraction = Extraction(settings, rules, out, waits=waits)
    return Clips(extraction, out, as_json=display.as_json, quiet=display.show)


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
        click.Option(
            ["--extract"],
            multiple=True,
            metavar="CLASSES[:RATE]",
            help="With --jack and --stream: cut clips of these classes, e.g. birds,frogs:auto or unknown:0.05.",
        ),
        click.Option(
            ["--extract-channels"],
            metavar="PATTERN[,PATTERN...]",
            default=_ALL,
            show_default=True,
            help="With --extract: only of these channels.",
        ),
        click.Option(
            ["--out"],
            type=click.Path(path_type=Path, file_okay=False),
            metavar="FOLDER",
            help="With --extract: where the clips go, as FLAC with what is known of them inside.",
        ),
    ],
    help=(analyze_files.help or "")
    + """
      ./tidzam analyze --jack 'marsh:*'
      ./tidzam analyze --stream recordings/ --show
      ./tidzam analyze --stream recordings/ --extract birds:auto --extract unknown:0.05 --out clips/

    --jack and --stream answer for each window as it sounds, until Ctrl-C, and keep nothing but the clips of --extract;
    what is heard for good is the analyzer's work (./tidzam start, ./tidzam events, ./tidzam rule).""",
)
