"""``./tidzam queue``: what a label would teach most."""

from __future__ import annotations

import click

from tidzam_platform.cli.output import json_option, print_json, print_table, remarks
from tidzam_platform.learning.queue import MAX_PAGE, QueueEntry


@click.command()
@click.option(
    "--limit", type=click.IntRange(1, MAX_PAGE), default=20, show_default=True, help="How many to show."
)
@click.option("--generation", type=click.IntRange(1), help="Whose queue [the newest that has one].")
@click.option(
    "--rank",
    "ranks",
    is_flag=True,
    help="Rank anew first, by that generation or the newest that was exported.",
)
@json_option
def queue(limit: int, generation: int | None, ranks: bool, as_json: bool) -> None:
    """Show which clips and stretches of the archive to label next, those that would teach most first.

    Each generation ranks what nobody labelled yet: where it is unsure, where generations disagree, what is rare, and
    what is unlike all that is labelled (docs/learning.md). What is labelled since then is left out.

    \b
    Examples:
      ./tidzam queue
      ./tidzam queue --rank --limit 50 --json
    """
    from tidzam_platform.catalog.generations import newest_exported
    from tidzam_platform.errors import CatalogError
    from tidzam_platform.home import Home
    from tidzam_platform.learning.queue import rank_clips, read_queue

    home = Home.open()
    if ranks:
        newest = newest_exported(home.catalog)
        number = generation or (newest.number if newest is not None else None)
        if number is None:
            raise CatalogError("no generation yet that could rank: make one with ./tidzam generation run")
        report = rank_clips(home, number)
        remarks.print(
            f"generation {number} ranked {report.clips} clips and {report.archive_windows} stretches of the archive"
        )
        generation = number
    entries = read_queue(home.catalog, limit=limit, generation=generation)
    if as_json:
        print_json(
            {
                "generation": entries[0].generation if entries else generation,
                "items": [entry.as_dict() for entry in entries],
            }
        )
        return
    if not entries:
        remarks.print("nothing is in the queue: make a generation, or rank by the newest with --rank")
        return
    print_table(
        f"what to label next, ranked by generation {entries[0].generation}",
        ("rank", "item", "s", "taken for", "score", "unsure", "disagree", "need", "novel"),
        (_cells(entry) for entry in entries),
    )


def _cells(entry: QueueEntry) -> tuple[object, ...]:
    figures = (entry.figures[name] for name in ("uncertainty", "disagreement", "need", "novelty"))
    return (
        entry.rank,
        entry.item,
        "" if entry.seconds is None else f"{entry.seconds:.1f}",
        entry.class_path,
        f"{entry.score:.2f}",
        *(f"{figure:.2f}" for figure in figures),
    )
