"""``./tidzam source``: what the engine listens to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from streamer.cli.asking import ask_engine, ask_engine_patiently
from streamer.cli.source_words import described, origin_of
from streamer.engine.sources.beginning import failure_to_begin, is_for_good
from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks
from tidzam_platform.operations.termination import WaitEnded
from tidzam_platform.settings import load_settings

_SPARE_S: Final = 5.0  # beyond what connecting and the first sample may take
_MAX_WAIT_S: Final = 60.0  # of the engine's answer
_NOT_BEGUN: Final = ("waiting", "starting")


@click.group(
    epilog="""\b
Examples:
  ./tidzam source test https://example.org/pond.ogg          can it be heard, and what is in it?
  ./tidzam source add pond https://example.org/pond.ogg      listen to it from now on
  ./tidzam source list                                       what is listened to, and what keeps it from being heard
"""
)
def source() -> None:
    """Add, list, test and remove the sources of audio; the engine must run (./tidzam start)."""


@source.command(
    epilog="""\b
Examples:
  ./tidzam source add pond https://example.org/pond.ogg --record
  ./tidzam source add pond https://example.org/30.ogg --channels 0,3 --zone Europe/Paris
  ./tidzam source add yard --device alsa:hw:1,0
  ./tidzam source add then --database pond --date 2026-04-01-05-00-00 --temporary
  ./tidzam source add film --file recordings/film.wav --temporary     sources.file_folders must name recordings
  ./tidzam source add pond https://example.org/pond.ogg --no-wait     for scripts: do not wait until it begins
"""
)
@click.argument("name")
@click.argument("url", required=False)
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    help="Play a file of the archive or of a folder in sources.file_folders, instead of a URL.",
)
@click.option("--device", help="Hear a sound card (alsa:hw:1,0) or ports of JACK (jack:system).")
@click.option("--database", help="Play recordings of the archive that have this name.")
@click.option("--date", help="From when on: YYYY-MM-DD-HH-MM-SS in --zone, or ISO 8601.")
@click.option("--channels", help="Which channels: indices from 0 (0,3), or names (channel4).")
@click.option(
    "--nb-channels", type=click.IntRange(1, 64), help="How many the input has; found out by default."
)
@click.option(
    "--permanent/--temporary",
    "permanent",
    default=True,
    show_default=True,
    help="Whether it is never given up and is there again after a restart.",
)
@click.option("--record", is_flag=True, help="Write it to the archive all the time.")
@click.option(
    "--record-schedule", help="With --record: only then, on a clock in --zone: 'mon,fri 22:00-04:00; sun'."
)
@click.option("--copy", is_flag=True, help="Give listeners the input's own bytes.")
@click.option("--zone", help="IANA time zone of --date and of the archive's file names; UTC by default.")
@click.option("--latitude", type=click.FloatRange(-90, 90), help="Degrees north.")
@click.option("--longitude", type=click.FloatRange(-180, 180), help="Degrees east.")
@click.option(
    "--wait/--no-wait",
    "wait",
    default=True,
    show_default=True,
    help="Whether to wait until it has begun, and to fail where it cannot.",
)
@json_option
def add(
    name: str,
    url: str | None,
    path: Path | None,
    permanent: bool,
    copy: bool,
    record: bool,
    wait: bool,
    as_json: bool,
    **more: Any,
) -> None:
    """Listen to NAME from now on: a URL (http, https, rtsp, also HLS and Icecast), a file, a card or the archive.

    A source of that name that is there already is replaced. The exit code is not 0 if it cannot be heard and no
    waiting mends that (its address is refused, the file is not there, a temporary source that fails): the reason says
    why. A permanent one stays in the list all the same, and is tried again now and then.
    """
    described = {
        "name": name,
        "url": url,
        "path": str(path.absolute()) if path else None,
        "is_permanent": permanent,
        "record": record,
        "format": "copy" if copy else None,
        **more,
    }
    specification = {
        key: value
        for key, value in described.items()
        if value is not None and value != "" and value is not False
    }
    status = ask_engine_patiently("sources.add", specification=specification, keep=permanent)
    if wait:
        status = _begun(status)
    if as_json:
        print_json(status)
    failure = failure_to_begin(status) if wait else None
    if failure is not None and is_for_good(status):
        stays = "" if status["state"] == "failed" else f", until `./tidzam source remove {name}`"
        raise type(failure)(f"{failure}{stays}")
    if not as_json:
        print_line(
            str(failure) if failure else f"{name}: {status['state']}; ./tidzam status shows what is heard"
        )


def _begun(status: dict[str, Any]) -> dict[str, Any]:
    """The status of a source that was just added, when it has begun or failed, or has taken too long."""
    try:
        settings = load_settings().sources
        wait_s = min(settings.connect_s + settings.no_samples_s + _SPARE_S, _MAX_WAIT_S)
        remarks.print(f"{status['name']} is added; waiting until it is heard (Ctrl-C waits no longer)")
        begun = ask_engine_patiently("sources.wait", number=status["number"], wait_s=wait_s)
    except KeyboardInterrupt as interrupt:
        raise WaitEnded(
            f"no longer waiting; {status['name']} stays: ./tidzam source list shows how it does"
        ) from interrupt
    if begun["state"] in _NOT_BEGUN and not begun["last_failure"]:
        remarks.print(f"{status['name']} has not begun within {wait_s:g} s, and goes on trying")
    return begun


@source.command(
    name="list",
    epilog="""\b
Examples:
  ./tidzam source list
  ./tidzam source list --json
""",
)
@json_option
def list_(as_json: bool) -> None:
    """List the sources: where they come from, their state, and why it is so."""
    answer = ask_engine("sources.list")
    if as_json:
        print_json(answer)
        return
    if not answer["sources"]:
        print_line("there are no sources: ./tidzam source add --help says how to add one")
        return
    print_table(
        "sources",
        ["name", "kind", "state", "since", "channels", "recorded", "from", "reason"],
        [
            [
                one["name"],
                one["kind"],
                "ending" if one["ending"] else one["state"],
                one["state_since"],
                len(one["channels"]),
                "yes" if one["record"] else "",
                origin_of(one),
                one.get("reason") or "",
            ]
            for one in answer["sources"]
        ],
    )


@source.command(
    epilog="""\b
Examples:
  ./tidzam source show pond
"""
)
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one source and its last 100 changes of state."""
    status = ask_engine("sources.get", name=name)
    if as_json:
        print_json(status)
        return
    print_table(f"source {name}", ["what", ""], described(status))
    print_table(
        "changes",
        ["when", "from", "to", "reason"],
        [[step["utc"], step["before"], step["after"], step["reason"]] for step in status["history"]],
    )


@source.command(
    epilog="""\b
Examples:
  ./tidzam source remove pond
"""
)
@click.argument("name")
@json_option
def remove(name: str, as_json: bool) -> None:
    """Stop listening to NAME, for good; its archive stays."""
    ask_engine_patiently("sources.remove", name=name)
    if as_json:
        print_json({"removed": name})
    else:
        print_line(f"{name} is removed; its recordings stay")


@source.command(
    epilog="""\b
Examples:
  ./tidzam source seek then 2026-04-01-06-00-00
"""
)
@click.argument("name")
@click.argument("date")
@json_option
def seek(name: str, date: str, as_json: bool) -> None:
    """Make a source that plays the archive go on from DATE (YYYY-MM-DD-HH-MM-SS, or ISO 8601)."""
    status = ask_engine("sources.seek", name=name, date=date)
    if as_json:
        print_json(status)
    else:
        print_line(f"{name} plays from {date} on")


@source.command(
    epilog="""\b
Examples:
  ./tidzam source test https://example.org/pond.ogg
  ./tidzam source test https://example.org/pond.ogg --seconds 10 --json
"""
)
@click.argument("url")
@click.option(
    "--seconds", type=click.FloatRange(0.5, 60), default=3.0, show_default=True, help="How much is heard."
)
@json_option
def test(url: str, seconds: float, as_json: bool) -> None:
    """Hear a moment of URL, without the engine: can it be fetched, what is in it, how loud is each channel?"""
    from streamer.engine.sources.trial import try_url

    heard = try_url(url, load_settings(), seconds=seconds)
    if as_json:
        print_json(heard.as_dict())
        return
    remarks.print(f"{url}: {heard.container}, {heard.channels} channel(s), {heard.seconds:.1f} s heard")
    print_table(
        "levels",
        ["channel", "RMS dBFS", "peak dBFS"],
        [
            [number, f"{rms:.1f}", f"{peak:.1f}"]
            for number, (rms, peak) in enumerate(heard.levels_dbfs, start=1)
        ],
    )
