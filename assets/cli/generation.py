"""``./tidzam generation``: make, list; which one serves is in ``serving.cli.generation_service``."""

from __future__ import annotations

from typing import Any

import click

from serving.cli.generation_gate import COMMANDS as GATE_COMMANDS
from serving.cli.generation_service import COMMANDS
from tidzam_platform.cli.output import json_option, print_json, print_table, remarks


@click.group()
def generation() -> None:
    """Generations: the classifiers that serve, by number."""


for command in (*COMMANDS, *GATE_COMMANDS):
    generation.add_command(command)


@generation.command()
@click.option(
    "--dataset", "version", help="A dataset version (default: built from the labels as they are now)."
)
@click.option(
    "--expert", default="", metavar="NAME", help="Train this expert only, e.g. birds; keep the others."
)
@click.option(
    "--base",
    type=click.IntRange(1),
    help="With --expert: keep those of this generation (default: the newest).",
)
@json_option
def run(version: str | None, expert: str, base: int | None, as_json: bool) -> None:
    """Train on a dataset version, evaluate, pass the gate, and export: a running model server serves it at once.

    The same data, settings and code give the generation that is there already. Exit code 3: the gate refused.

    \b
    Examples:
      ./tidzam generation run
      ./tidzam generation run --dataset 4f0c2a9b77e1d3aa --json
      ./tidzam generation run --expert birds
    """
    from assets.generation_run import run_generation, why_not_served
    from tidzam_platform.home import Home

    home = Home.open()
    if base and not expert:
        raise click.UsageError("--base goes with --expert")
    answer = run_generation(home, version, remarks.print, expert=expert, base=base or 0)
    not_served = why_not_served(home, answer["generation"])
    answer["served"] = not not_served
    if as_json:
        if not_served:
            remarks.print(f"exported; {not_served}")
        print_json(answer)
        return
    evaluation = answer["evaluation"]
    click.echo(
        f"generation {answer['generation']} of dataset {answer['dataset']['version']} "
        f"({answer['dataset']['clips']} clips): macro-F1 {evaluation['macro_f1']:.3f}, "
        f"accuracy {evaluation['accuracy']:.3f} on {evaluation['clips']} test clips"
    )
    print_table(
        "test side",
        ["class", "precision", "recall", "F1", "clips"],
        [
            (name, *(f"{one[key]:.2f}" for key in ("precision", "recall", "f1")), one["clips"])
            for name, one in evaluation["per_class"].items()
        ],
    )
    click.echo(f"exported; {not_served}" if not_served else "served")


@generation.command()
@json_option
def worker(as_json: bool) -> None:
    """Help in a training on several machines: wait for `generation run` on the one that leads, and train along.

    training.workers must be the same list on all, with training.worker 0 where `generation run` is called and 1, 2, ...
    where this is. It ends with the training, and keeps nothing. Needs the home of the leading one, or a copy of it.

    \b
    Example:
      TIDZAM_TRAINING__WORKERS='["10.0.0.1:7001", "10.0.0.2:7001"]' TIDZAM_TRAINING__WORKER=1 \\
        ./tidzam generation worker
    """
    from assets.classifiers.progress import ProgressLog
    from assets.generation_run import progress_to
    from tidzam_platform.classifiers.helping import help_training
    from tidzam_platform.home import Home

    home = Home.open()
    training = home.settings.training
    with progress_to(remarks.print):
        dataset = help_training(home, ProgressLog())
    if as_json:
        print_json({"dataset": dataset, "worker": training.worker, "workers": list(training.workers)})
    else:
        click.echo(f"helped {training.workers[0]} to train on dataset {dataset}")


@generation.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show all generations, the newest first, with what the gate said.

    \b
    Example:
      ./tidzam generation list --json
    """
    from sqlalchemy import select

    from tidzam_platform.catalog.tables import Generation
    from tidzam_platform.clock import format_utc
    from tidzam_platform.home import Home

    with Home.open().catalog.reading() as session:
        found = session.scalars(select(Generation).order_by(Generation.number.desc())).all()
    rows: list[dict[str, Any]] = [
        {
            "generation": row.number,
            "state": row.state,
            "macro_f1": row.evaluation["macro_f1"],
            "dataset": row.dataset_version,
            "made_at": format_utc(row.made_at),
            "reasons": row.manifest.get("gate", {}).get("reasons", []),
        }
        for row in found
    ]
    if as_json:
        print_json({"generations": rows})
        return
    print_table(
        "generations",
        ["generation", "state", "macro-F1", "dataset", "made at", "gate"],
        [
            (
                row["generation"],
                row["state"],
                f"{row['macro_f1']:.3f}",
                row["dataset"],
                row["made_at"],
                "; ".join(row["reasons"]),
            )
            for row in rows
        ],
    )
