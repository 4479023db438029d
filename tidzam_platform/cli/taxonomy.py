"""``./tidzam taxonomy``: classes renamed, merged and split, version by version."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks

if TYPE_CHECKING:
    from tidzam_platform.catalog.tables import TaxonomyChange
    from tidzam_platform.datasets.taxonomy_changes import Wishes


@click.group(
    epilog="""\b
Examples:
  ./tidzam taxonomy rename birds-crow birds-carrion_crow --reason "the name was too wide"
  ./tidzam taxonomy merge cat,kitten animal-cat --reason "nobody hears the difference"
  ./tidzam taxonomy split frogs --by-labels --reason "two species"
"""
)
def taxonomy() -> None:
    """Classes by version: labels stay as they were given, and are read by today's classes (docs/taxonomy.md)."""


def _who_and_why(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option(
        "--by", default=getpass.getuser, show_default="your login", help="Who changes the classes."
    )(command)
    return click.option("--reason", metavar="TEXT", required=True, help="Why; the history keeps it.")(command)


@taxonomy.command()
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@_who_and_why
@json_option
def rename(old: str, new: str, reason: str, by: str, as_json: bool) -> None:
    """Class A, and what lies below it, is called B from now on.

    \b
    Example:
      ./tidzam taxonomy rename birds-crow birds-carrion_crow --reason "the name was too wide"
    """
    from tidzam_platform.datasets.taxonomy_changes import Wishes

    _change(Wishes({old: new}, {}, {}), reason, by, as_json)


@taxonomy.command()
@click.argument("olds", metavar="A,B...")
@click.argument("new", metavar="C")
@_who_and_why
@json_option
def merge(olds: str, new: str, reason: str, by: str, as_json: bool) -> None:
    """Classes A, B and so on are one class C from now on; C may be one of them.

    \b
    Example:
      ./tidzam taxonomy merge cat,kitten animal-cat --reason "nobody hears the difference"
    """
    from tidzam_platform.datasets.taxonomy_changes import Wishes

    _change(Wishes({}, {new: _paths(olds)}, {}), reason, by, as_json)


@taxonomy.command()
@click.argument("old", metavar="A")
@click.option(
    "--by-labels",
    is_flag=True,
    required=True,
    help="Other labels of a clip say which part it is: the only way, as a name alone cannot.",
)
@click.option("--into", metavar="B,C...", help="The parts (default: the classes labelled right below A).")
@_who_and_why
@json_option
def split(old: str, by_labels: bool, into: str | None, reason: str, by: str, as_json: bool) -> None:
    """Class A is several classes from now on. A clip that is labelled A and one of the parts is of that part.

    \b
    Examples:
      ./tidzam taxonomy split frogs --by-labels --reason "two species"
      ./tidzam taxonomy split crow --by-labels --into birds-rook,birds-jackdaw --reason "two species"
    """
    from tidzam_platform.datasets.taxonomy_changes import Wishes

    assert by_labels  # noqa: S101 - click requires it
    _change(Wishes({}, {}, {old: _paths(into or "")}), reason, by, as_json)


@taxonomy.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_who_and_why
@json_option
def apply(file: Path, reason: str, by: str, as_json: bool) -> None:
    """Make the changes of a TOML FILE, all at once, as one version: tables rename, merge and split.

    \b
    Example:
      ./tidzam taxonomy apply changes.toml --reason "names of the new checklist"
    """
    from tidzam_platform.datasets.taxonomy_changes import read_wishes

    _change(read_wishes(file), reason, by, as_json)


@taxonomy.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show the classes of today, what each was called before, and all changes, the newest first.

    \b
    Example:
      ./tidzam taxonomy list --json
    """
    from tidzam_platform.clock import format_utc
    from tidzam_platform.datasets.taxonomy_changes import known_classes, list_changes, taxonomy_of
    from tidzam_platform.home import Home

    catalog = Home.open().catalog
    with catalog.reading() as session:
        today = taxonomy_of(session)
        classes = known_classes(session, today)
    changes = list_changes(catalog)[::-1]
    if as_json:
        print_json(
            {
                "version": today.version,
                "classes": [{"class": path, "was": list(today.sources(path))} for path in classes],
                "split": {path: list(parts) for path, parts in today.becomes.items() if len(parts) > 1},
                "changes": [_as_dict(change) for change in changes],
            }
        )
        return
    print_table(
        f"classes, version {today.version} of the taxonomy",
        ["class", "was"],
        [(path, ", ".join(today.sources(path))) for path in classes],
    )
    print_table(
        "changes",
        ["version", "what", "by", "at", "why"],
        [
            (change.version, _said(change), change.made_by, format_utc(change.made_at), change.reason)
            for change in changes
        ],
    )


def _change(wishes: Wishes, reason: str, by: str, as_json: bool) -> None:
    from tidzam_platform.clips.renamed_classes import rules_that_follow
    from tidzam_platform.datasets.taxonomy_changes import change_taxonomy
    from tidzam_platform.home import Home

    home = Home.open()
    change = change_taxonomy(home.catalog, wishes, by=by, reason=reason)
    rules = rules_that_follow(home.catalog)
    if as_json:
        print_json({**_as_dict(change), "rules": rules})
        return
    print_line(f"version {change.version} of the taxonomy: {_said(change)}")
    for one in rules:
        remarks.print(f"rule {one['id']} also means {', '.join(one['also'])}")
    remarks.print(
        "labels are read by it from now on; ./tidzam generation run trains a generation of these classes"
    )


def _paths(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _said(change: TaxonomyChange) -> str:
    return "; ".join(f"{path} became {' or '.join(parts)}" for path, parts in change.mapping.items())


def _as_dict(change: TaxonomyChange) -> dict[str, Any]:
    from tidzam_platform.clock import format_utc

    return {
        "version": change.version,
        "mapping": change.mapping,
        "by": change.made_by,
        "at": format_utc(change.made_at),
        "reason": change.reason,
    }
