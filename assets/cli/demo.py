"""``./tidzam demo``: the whole way on a made site."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks
from tidzam_platform.operations.termination import sigterm_like_ctrl_c

if TYPE_CHECKING:
    from assets.demo import DemoResult


@click.command()
@click.option(
    "--generations",
    type=click.IntRange(2, 10),
    help="Make so many generations instead, from five labels a class, and compare how labels are chosen.",
)
@click.option("--once", is_flag=True, help="End after the table instead of staying until Ctrl-C.")
@click.option(
    "--demo-home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the demo keeps its data (default: demo, or demo-generations, in the home); nothing else is touched.",
)
@json_option
@sigterm_like_ctrl_c()
def demo(generations: int | None, once: bool, demo_home: Path | None, as_json: bool) -> None:
    """See the whole system work, on a site that it makes: no microphone, data or network needed.

    Makes recordings of a pond and labelled clips, builds a dataset, trains a classifier, checks it, serves it,
    hears a recording that it was not trained on, and shows what it heard. It takes a few minutes the first time;
    then it stays, so that you can look around in Dagster and ask the model server, until Ctrl-C or SIGTERM.
    It takes the usual ports where they are free, else others, and says which.

    With --generations the site is one of few common sounds and many rare ones. Labels are given round by round, those
    that the queue puts first beside as many drawn at random, each from three starts; a generation whose labels went
    astray shall be refused; and a client asks the model server all the while. It takes a quarter of an hour or two.

    \b
    Examples:
      ./tidzam demo
      ./tidzam demo --once --json | tail -n 1
      ./tidzam demo --generations 3 --once --json
    """
    from assets.demo import SITE_FOLDER, run_demo
    from tidzam_platform.settings import load_settings

    started = time.monotonic()

    def say(what: str) -> None:
        remarks.print(f"{time.monotonic() - started:4.0f} s  {what}")

    if generations is not None:
        from assets.cli.learning import show_generations

        folder = (demo_home or load_settings().home / "demo-generations").absolute()
        show_generations(folder, generations, say, once=once, as_json=as_json)
        return
    home_folder = (demo_home or load_settings().home / "demo").absolute()
    os.environ["TIDZAM_HOME"] = str(home_folder)  # every process of the demo keeps to it
    os.environ["TIDZAM_ARCHIVE"] = str(home_folder / SITE_FOLDER / "archive")
    with run_demo(load_settings(), say) as result:
        # The answer before the wait: who reads it need not wait for the end.
        if as_json:
            print_json(result.answer)
        else:
            _show(result)
        if once:
            say("done; stopping the servers")
        else:
            _print_addresses(result, remarks.print if as_json else print_line)
            result.wait()


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


def _print_addresses(result: DemoResult, write: Callable[[str], None]) -> None:
    addresses = result.answer["addresses"]
    write(f"Dagster       {addresses['dagster']}   assets, runs, the confusion matrix")
    write(f"model server  {addresses['model_server']}   gRPC, the API of TensorFlow Serving")
    write(f"data          {result.answer['home']}")
    write("Ctrl-C ends it; calling it again goes on from what is there.")
