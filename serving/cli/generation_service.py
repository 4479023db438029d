"""``./tidzam generation``: which one serves, who decided that, and what is kept on the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from serving.cli.login import login_name
from serving.cli.shadow import shadow
from tidzam_platform.cli.output import json_option, print_json, print_line, print_table, remarks
from tidzam_platform.settings import load_settings

if TYPE_CHECKING:
    from serving.repository import Change, ModelRepository

_LAST_CHANGES: Final = 10
_COLUMNS: Final = ["time", "what", "version", "before", "by", "why"]

_by_option = click.option("--by", metavar="NAME", help="Who does it (default: your login name).")
_reason_option = click.option("--reason", metavar="TEXT", required=True, help="Why; the history keeps it.")
_version_argument = click.argument("version", metavar="N", type=click.IntRange(1))


@click.command()
@_version_argument
@click.option(
    "--label",
    type=click.Choice(["stable", "canary"]),
    default="stable",
    help="stable serves; canary is tried beside it (default: stable).",
)
@_reason_option
@_by_option
@json_option
def promote(version: int, label: str, reason: str, by: str | None, as_json: bool) -> None:
    """Put generation N into service, or beside the one that serves as canary. Servers follow by themselves.

    \b
    Examples:
      ./tidzam generation promote 4 --reason "hears the wren better"
      ./tidzam generation promote 5 --label canary --reason "new microphones"
    """
    _answer(
        lambda repository, who: repository.promote(version, by=who, reason=reason, label=label), by, as_json
    )


@click.command()
@_reason_option
@click.option(
    "--from",
    "expected",
    metavar="N",
    type=click.IntRange(1),
    help="Only away from this generation: said twice, or by two people, it still goes back one step.",
)
@_by_option
@json_option
def rollback(reason: str, expected: int | None, by: str | None, as_json: bool) -> None:
    """Put the generation back into service that served before. Once more: the one before that.

    \b
    Examples:
      ./tidzam generation rollback --reason "hears wrens everywhere"
      ./tidzam generation rollback --from 5 --reason "hears wrens everywhere"
    """
    _answer(
        lambda repository, who: repository.rollback(by=who, reason=reason, expected=expected), by, as_json
    )


@click.command()
@_version_argument
@_reason_option
@_by_option
@json_option
def retire(version: int, reason: str, by: str | None, as_json: bool) -> None:
    """Keep generation N, which has no label, from service for ever; `collect` removes its files.

    \b
    Example:
      ./tidzam generation retire 2 --reason "its labels were wrong"
    """
    _answer(lambda repository, who: repository.retire(version, by=who, reason=reason), by, as_json)


@click.command("remove-label")
@click.argument("label", type=click.Choice(["canary"]))
@_reason_option
@_by_option
@json_option
def remove_label(label: str, reason: str, by: str | None, as_json: bool) -> None:
    """End the trial of the canary; the stable generation goes on.

    \b
    Example:
      ./tidzam generation remove-label canary --reason "no better than before"
    """
    _answer(lambda repository, who: repository.remove_label(label, by=who, reason=reason), by, as_json)


@click.command()
@json_option
def service(as_json: bool) -> None:
    """Show which generations serve, those on the disk, and the last changes; bring servers' files up to date.

    Servers' files are those that TensorFlow Serving reads in models/serving of the data folder.

    \b
    Example:
      ./tidzam generation service --json
    """
    repository = _repository()
    for path in repository.write_server_files(load_settings().model_server.batching):
        remarks.print(f"{path} was not up to date: written")
    labels, retired, target = repository.label_changes(), repository.retired(), repository.rollback_target()
    label_of = {change.version: label for label, change in labels.items()}
    versions: list[dict[str, Any]] = [
        {
            "version": version,
            "label": label_of.get(version),
            "retired": version in retired,
            "rollback_target": version == target,
        }
        for version in sorted({*repository.versions(), *label_of}, reverse=True)
    ]
    changes = repository.history()[-_LAST_CHANGES:]
    if as_json:
        print_json(
            {
                "in_service": repository.in_service(),
                "labels": {label: change.to_json() for label, change in labels.items()},
                "versions": versions,
                "changes": [change.to_json() for change in changes],
            }
        )
        return
    if not labels and versions:
        remarks.print("nothing was promoted yet: the newest generation serves")
    on_disk = set(repository.versions())
    rows = [
        (
            row["version"],
            row["label"] or "",
            "; ".join(
                note
                for is_so, note in (
                    (row["retired"], "retired"),
                    (row["rollback_target"], "rollback goes here"),
                    (row["version"] not in on_disk, "its files are gone"),
                )
                if is_so
            ),
        )
        for row in versions
    ]
    print_table("generations", ["generation", "label", ""], rows)
    print_table("last changes", _COLUMNS, map(_row, reversed(changes)))


@click.command()
@json_option
def history(as_json: bool) -> None:
    """Show who promoted, rolled back and retired what, when and why; the newest first.

    \b
    Example:
      ./tidzam generation history
    """
    changes = _repository().history()[::-1]
    if as_json:
        print_json({"changes": [change.to_json() for change in changes]})
    else:
        print_table("changes", _COLUMNS, map(_row, changes))


@click.command()
@click.option(
    "--keep",
    type=click.IntRange(0),
    help="How many generations without a label stay, the newest (default: model_repository.keep).",
)
@json_option
def collect(keep: int | None, as_json: bool) -> None:
    """Remove the files of retired generations, and of old ones without a label.

    Never one with a label, nor the one that `rollback` would go to. What they were trained to stays in the store.

    \b
    Example:
      ./tidzam generation collect --keep 3
    """
    kept = load_settings().model_repository.keep if keep is None else keep
    removed = _repository().collect_garbage(kept)
    if as_json:
        print_json({"removed": removed})
    else:
        print_line(f"removed: {', '.join(map(str, removed)) or 'nothing'}")


COMMANDS: Final = (promote, rollback, retire, remove_label, service, history, collect, shadow)


def _repository() -> ModelRepository:
    from serving.repository import ModelRepository

    return ModelRepository(load_settings().models_folder)


def _answer(do: Callable[[ModelRepository, str], Change], by: str | None, as_json: bool) -> None:
    """Make a change and say what has which label now."""
    repository = _repository()
    change = do(repository, login_name() if by is None else by)
    labels = repository.labels()
    if as_json:
        print_json({"change": change.to_json(), "labels": labels})
        return
    what = f"{change.action} {change.label or ''}".strip().replace("_", " ")
    print_line(f"{what}: generation {change.version} (by {change.by}: {change.reason})")
    print_line("; ".join(f"{label}: {version}" for label, version in labels.items()) or "no labels")


def _row(change: Change) -> tuple[object, ...]:
    shown = change.to_json()
    what = f"{change.action} {change.label or ''}".strip().replace("_", " ")
    return shown["time"], what, change.version, change.previous_version or "", change.by, change.reason
