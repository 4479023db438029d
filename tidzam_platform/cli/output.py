"""What commands share: the --json option, tables, progress bars, the opened home."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

Item = TypeVar("Item")
Decorated = TypeVar("Decorated", bound=Callable[..., Any])

# Progress and remarks go to standard error: standard output is for answers.
remarks = Console(stderr=True, highlight=False)


def json_option(command: Decorated) -> Decorated:
    """Add ``--json`` as the parameter ``as_json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Answer with one JSON object on standard output."
    )(command)


def print_json(answer: Any) -> None:
    """One object, one line, so that the last line of any output can be parsed."""
    click.echo(json.dumps(answer, ensure_ascii=False, allow_nan=False))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output."""
    table = Table(title=title, title_justify="left", highlight=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    # Piped output has no width of its own: do not cut columns to 80 characters.
    width = None if sys.stdout.isatty() else 160
    Console(highlight=False, width=width).print(table)


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show progress on standard error; yields a function to call with how many more are done.

    On a terminal a bar with the time left, otherwise one line at the start.
    """
    if not remarks.is_terminal:
        remarks.print(f"{what}{f' ({total})' if total is not None else ''} ...")
        yield lambda _more: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=remarks, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda more: progress.advance(task, more)
