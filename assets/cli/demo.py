"""``./tidzam demo``: the whole way on a made site."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tidzam_platform.cli.output import json_option, print_json, print_table, remarks

if TYPE_CHECKING:
    from assets.demo import DemoResult


@click.command()
@click.option("--once", is_flag=True, help="End after the table instead of staying until Ctrl-C.")
@click.option(
    "--demo-home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the demo keeps its data (default: the folder demo in the home); nothing else is touched.",
)
@json_option
def demo(once: bool, demo_home: Path | None, as_json: bool) -> None:
    """See the whole system work, on a site that it makes: no microphone, data or network needed.

    Makes recordings of a pond and labelled clips, builds a dataset, trains a classifier, checks it, serves it,
    hears a recording that it was not trained on, and shows what it heard. It takes a few minutes the first time;
    then it stays, so that you can look around in Dagster and ask the model server, until Ctrl-C.

    \b
    Examples:
      ./tidzam demo
      ./tidzam demo --once --json | tail -n 1
    """
    from assets.demo import SITE_FOLDER, run_demo
    from tidzam_platform.settings import load_settings

    home_folder = (demo_home or load_settings().home / "demo").absolute()
    os.environ["TIDZAM_HOME"] = str(home_folder)  # every process of the demo keeps to it
    os.environ["TIDZAM_ARCHIVE"] = str(home_folder / SITE_FOLDER / "archive")
    _prefer_default_ports()
    started = time.monotonic()

    def say(what: str) -> None:
        remarks.print(f"[dim]{time.monotonic() - started:4.0f} s[/dim]  {what}")

    with run_demo(load_settings(), say) as result:
        if not as_json:
            _show(result)
        if once:
            say("done; stopping the servers")
        else:
            _print_addresses(result)
            result.wait()
    if as_json:
        print_json(result.answer)


def _prefer_default_ports() -> None:
    """Take the usual ports where they are free, so that addresses are as documented; else any free ones."""
    from tidzam_platform.operations.child_process import choose_port
    from tidzam_platform.settings import load_settings

    settings = load_settings()
    for section in ("model_server", "dagster"):
        chosen = getattr(settings, section)
        os.environ[f"TIDZAM_{section.upper()}__PORT"] = str(choose_port(chosen.host, chosen.port))


def _show(result: DemoResult) -> None:
    answer = result.answer
    evaluation = answer["evaluation"]
    print_table(
        f"heard in {result.recording} by generation {answer['generation']}",
        ["channel", "start s", "end s", "heard", "score", "what was there"],
        [
            (
                one.channel,
                f"{one.start_s:.1f}",
                f"{one.end_s:.1f}",
                one.class_path,
                f"{one.score:.2f}",
                one.truth,
            )
            for one in result.heard
        ],
    )
    click.echo(
        f"macro-F1 {evaluation['macro_f1']:.3f} on {evaluation['clips']} test clips; "
        f"a nearest centroid on MFCC statistics reaches {evaluation['baseline_macro_f1']:.3f}"
    )


def _print_addresses(result: DemoResult) -> None:
    addresses = result.answer["addresses"]
    click.echo(f"Dagster       {addresses['dagster']}   assets, runs, the confusion matrix")
    click.echo(f"model server  {addresses['model_server']}   gRPC, the API of TensorFlow Serving")
    click.echo(f"data          {result.answer['home']}")
    click.echo("Ctrl-C ends it; calling it again goes on from what is there.")
