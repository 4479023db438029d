"""``./tidzam analyze``: what is heard in files."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from serving.cli.shadow import share_option
from tidzam_platform.cli.output import (
    json_option,
    print_json,
    print_line,
    print_table,
    progress_bar,
    remarks,
    shown,
)

if TYPE_CHECKING:
    from serving.analysis import Hearing, Model
    from serving.client import ModelClient
    from tidzam_platform.settings import Settings

_EVENT_FIELDS = ("file", "channel", "start", "end", "class", "score", "generation")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Answer with CSV: one line an event.")
@click.option(
    "--audacity", "as_audacity", is_flag=True, help="Answer with an Audacity label track (one FILE)."
)
@click.option("--channel", type=click.IntRange(1), help="Only this channel, counted from 1.")
@click.option(
    "--windows", "with_windows", is_flag=True, help="With --json: every window with all its scores."
)
@click.option("--local", is_flag=True, help="Hear in this process, without the model server.")
@click.option(
    "--generation", type=click.IntRange(1), help="With --local: this generation (default: the newest)."
)
@click.option("--server", help="Address of the model server, host:port (default: from the settings).")
@share_option
@click.pass_context
def analyze(
    ctx: click.Context,
    files: tuple[Path, ...],
    as_json: bool,
    as_csv: bool,
    as_audacity: bool,
    channel: int | None,
    with_windows: bool,
    local: bool,
    generation: int | None,
    server: str | None,
    shadow: float | None,
) -> None:
    """Say what is heard in each FILE, channel by channel.

    Answers are classes such as birds-chiffchaff, unknown where the classifier is not sure, and no_signal where it
    is too quiet. Neighbouring windows with one answer are one event; times are seconds from the file's start.

    \b
    Examples:
      ./tidzam analyze recording.opus
      ./tidzam analyze --local --json recording.opus | tail -n 1
      ./tidzam analyze --audacity --channel 2 recording.opus > labels.txt
      ./tidzam analyze --shadow 1 recording.opus
    """
    from tidzam_platform.errors import AudioError
    from tidzam_platform.settings import load_settings

    if as_json + as_csv + as_audacity > 1:
        raise click.UsageError("choose one of --json, --csv and --audacity")
    if as_audacity and len(files) > 1:
        raise click.UsageError("--audacity answers for one file at a time")
    if with_windows and not as_json:
        raise click.UsageError("--windows goes with --json")
    if generation is not None and not local:
        raise click.UsageError("--generation goes with --local; a model server answers with what it serves")
    if shadow is not None and local:
        raise click.UsageError("--shadow goes through the model server, --local does not")
    settings = load_settings()
    heard: list[tuple[Path, Hearing]] = []
    unusable: list[dict[str, str]] = []
    with _models(settings, local, generation, server, shadow) as model_for:
        for path in files:
            try:
                _require_channel(path, channel)
                heard.append((path, _hear(path, model_for(path), settings, with_windows)))
            except AudioError as error:
                if len(files) == 1:
                    raise
                unusable.append({"file": str(path), "error": str(error)})
                remarks.print(str(error), style="red")
    events = [event for path, hearing in heard for event in _events(path, hearing, channel)]
    if as_json:
        print_json(_as_object(heard, events, unusable, with_windows, channel))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, _EVENT_FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**event, "file": shown(event["file"])} for event in events)
    elif as_audacity:
        _print_audacity(events)
    else:
        _print_events(heard, events)
    if unusable:
        ctx.exit(AudioError.exit_code)


@contextmanager
def _models(
    settings: Settings, local: bool, generation: int | None, server: str | None, shadow: float | None
) -> Iterator[Callable[[Path], Model]]:
    """What hears each file."""
    if local:
        from serving.local import open_generation

        model = open_generation(settings.models_folder, generation)
        yield lambda _path: model
        return
    if shadow is not None:
        from serving.shadow import ShadowedRecording, open_shadowing_client, wait_for_shadow

        patience_s = 2 * settings.model_server.deadline_s
        with open_shadowing_client(settings, shadow, address=server) as shadowing:
            yield lambda path: ShadowedRecording(shadowing, path.name, patience_s)
            wait_for_shadow(shadowing, patience_s)
            _remark_on_shadow(shadowing)
        return
    from serving.client import ModelClient

    address = server or f"{settings.model_server.host}:{settings.model_server.port}"
    with ModelClient(
        address,
        deadline_s=settings.model_server.deadline_s,
        max_message_mb=settings.model_server.max_message_mb,
    ) as client:
        yield lambda _path: client


def _remark_on_shadow(client: ModelClient) -> None:
    counts = client.counts
    remarks.print(
        f"shadow: {counts.shadow_pairs} batches compared, "
        f"{counts.shadow_dropped + counts.shadow_pending} dropped, {counts.shadow_failed} failed"
    )
    if counts.shadow_absent:
        remarks.print(
            f"{counts.shadow_absent} batches had no canary: give a generation that label with "
            "./tidzam generation promote N --label canary --reason TEXT",
            style="yellow",
        )


def _require_channel(path: Path, channel: int | None) -> None:
    """Say so before the file is heard if it does not have the channel that is asked for."""
    from tidzam_platform.audio import probe
    from tidzam_platform.errors import AudioError

    if channel is None or channel <= (channels := probe(path).channels):
        return
    held = "1 channel" if channels == 1 else f"{channels} channels"
    raise AudioError(f"{path} has {held}: there is no --channel {channel}")


def _hear(path: Path, model: Model, settings: Settings, keep_windows: bool) -> Hearing:
    from serving.analysis import hear_file

    done_s = 0

    def advance(seconds: float) -> None:
        nonlocal done_s
        progress(int(seconds) - done_s)
        done_s = int(seconds)

    with progress_bar(f"hearing {path.name}, seconds") as progress:
        hearing = hear_file(
            path,
            model,
            settings.decision,
            keep_windows=keep_windows,
            progress=advance,
        )
    for start_s, end_s in hearing.info.holes:
        remarks.print(f"{path.name}: audio is missing from {start_s:.3f} to {end_s:.3f} s", style="yellow")
    if hearing.info.truncated:
        remarks.print(f"{path.name}: the file is cut short; what there is was heard", style="yellow")
    return hearing


def _events(path: Path, hearing: Hearing, channel: int | None) -> list[dict[str, Any]]:
    return [
        {
            "file": str(path),
            "channel": event.channel,
            "start": hearing.seconds(event.start_frame),
            "end": hearing.seconds(event.end_frame),
            "class": event.class_path,
            "score": round(event.score, 4),
            "generation": hearing.description.generation,
        }
        for event in hearing.events
        if channel in (None, event.channel)
    ]


def _as_object(
    heard: list[tuple[Path, Hearing]],
    events: list[dict[str, Any]],
    unusable: list[dict[str, str]],
    with_windows: bool,
    channel: int | None,
) -> dict[str, Any]:
    files = []
    for path, hearing in heard:
        entry: dict[str, Any] = {
            "file": str(path),
            "seconds": hearing.info.seconds,
            "channels": hearing.info.channels,
            "holes": [list(hole) for hole in hearing.info.holes],
            "truncated": hearing.info.truncated,
        }
        if with_windows:
            paths = [known.path for known in hearing.description.classes]
            entry["windows"] = [
                {
                    "channel": window.channel,
                    "start": hearing.seconds(window.start_frame),
                    "class": window.answer.class_path,
                    "score": window.answer.score,
                    "level_dbfs": window.level_dbfs,
                    "scores": dict(zip(paths, (float(score) for score in window.scores), strict=True)),
                }
                for window in hearing.windows
                if channel in (None, window.channel)
            ]
        files.append(entry)
    return {"events": events, "files": files, "unusable": unusable}


def _print_audacity(events: list[dict[str, Any]]) -> None:
    """Tab-separated start, end, label; the channel is written into the label when there are several."""
    several = len({event["channel"] for event in events}) > 1
    for event in events:
        label = f"{event['class']} (channel {event['channel']})" if several else event["class"]
        print_line(f"{event['start']:.6f}\t{event['end']:.6f}\t{label}")


def _print_events(heard: list[tuple[Path, Hearing]], events: list[dict[str, Any]]) -> None:
    for path, hearing in heard:
        print_table(
            f"{path.name}, heard by generation {hearing.description.generation}",
            ["channel", "start s", "end s", "class", "score"],
            [
                (
                    event["channel"],
                    f"{event['start']:.1f}",
                    f"{event['end']:.1f}",
                    event["class"],
                    f"{event['score']:.2f}",
                )
                for event in events
                if event["file"] == str(path)
            ],
        )
