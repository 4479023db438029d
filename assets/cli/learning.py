"""``./tidzam demo --generations``, and ``./tidzam bench learning``: the curve of learning."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks


def show_generations(
    folder: Path, generations: int, say: Callable[[str], None], *, once: bool, as_json: bool
) -> None:
    """Run the demo of generations in ``folder``, show its curve, and stay until Ctrl-C unless ``once``."""
    from assets.demo_generations import EFFORT, fresh_run, run_generations_demo
    from tidzam_platform.learning.curve import Course
    from tidzam_platform.operations.child_process import watch
    from tidzam_platform.settings import load_settings

    with fresh_run(folder) as home:
        os.environ["TIDZAM_HOME"] = str(home)  # every process of the demo keeps to it
        os.environ["TIDZAM_ARCHIVE"] = str(folder / "archive")
        for name, value in EFFORT.items():
            os.environ.setdefault(name, value)
        course = Course(generations=generations)
        with run_generations_demo(load_settings(), folder, course, say) as result:
            if as_json:
                print_json(result.answer)
            else:
                _show(result.answer)
            if once:
                say("done; stopping the servers")
            else:
                _print_addresses(result.answer, remarks.print if as_json else print_line)
                watch(result.processes)


def _print_addresses(answer: dict[str, Any], write: Callable[[str], None]) -> None:
    write(f"Dagster       {answer['addresses']['dagster']}   the generations, the queue, the gate")
    write(f"model server  {answer['addresses']['model_server']}")
    write(f"data          {answer['home']}")
    write("Ctrl-C ends it; another call begins anew with the same sounds.")


def _show(answer: dict[str, Any]) -> None:
    print_curve(answer)
    gate, service = answer["gate"], answer["service"]
    said = "refused" if gate["refused"] else "let pass"
    click.echo(f"labels that went astray: the gate {said} generation {gate['generation']}")
    for reason in gate["reasons"]:
        click.echo(f"  {reason}")
    click.echo(f"the service was asked {service['requests']} times and failed {service['failed']} times")


def print_curve(answer: dict[str, Any]) -> None:
    """The curve as a table: a row a generation."""
    print_table(
        f"macro-F1 on the same {answer['pool']['test_clips']} test clips, mean over seeds "
        f"{', '.join(map(str, answer['seeds']))}",
        ("generation", "labels", "chosen by the queue", "chosen at random"),
        [
            (active["generation"], active["labels"], f"{active['macro_f1']:.3f}", f"{drawn['macro_f1']:.3f}")
            for active, drawn in zip(answer["generations"], answer["random"], strict=True)
        ],
    )


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with labelled clips and the labels.csv that names them.",
)
@click.option("--generations", type=click.IntRange(2, 20), default=3, show_default=True, help="How many.")
@click.option(
    "--start", type=click.IntRange(2), default=5, show_default=True, help="Labels a class before the first."
)
@click.option("--labels", type=click.IntRange(1), help="Labels a round [as many as at the start].")
@click.option(
    "--seeds", type=click.IntRange(1, 20), default=3, show_default=True, help="Courses that are averaged."
)
@click.option("--epochs", type=click.IntRange(1), default=12, show_default=True, help="Of each training.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for decoded clips (default: bench/learning in the home).",
)
@json_option
def learning(
    data: Path,
    generations: int,
    start: int,
    labels: int | None,
    seeds: int,
    epochs: int,
    work: Path | None,
    as_json: bool,
) -> None:
    """Compare generations whose labels the queue chose with generations whose labels were drawn at random.

    A quarter of the groups is put aside as the test; the truth of the folder answers in place of a person. Both ways
    start from the same labels, get as many, and are trained alike. A training takes about a minute on two cores; there
    are (2 generations - 1) a seed.

    \b
    Examples:
      ./tidzam bench learning --data fieldset --json
      ./tidzam bench learning --data fieldset --generations 4 --labels 50 --seeds 1
    """
    from tidzam_platform.learning.bench import measure_folder
    from tidzam_platform.settings import load_settings

    settings = load_settings()
    answer = measure_folder(
        data / "labels.csv",
        settings,
        work or settings.home / "bench" / "learning",
        start_per_class=start,
        labels_a_round=labels,
        generations=generations,
        seeds=tuple(range(1, seeds + 1)),
        epochs=epochs,
        say=remarks.print,
    )
    if as_json:
        print_json(answer)
    else:
        print_curve(answer)
