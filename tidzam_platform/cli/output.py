"""What commands share: the --json option, answers, tables, remarks and progress bars. All text is plain text.

Names of files, classes and groups come from anywhere: nothing in them is markup, and what cannot be shown is escaped.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

Item = TypeVar("Item")
Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_PIPED_WIDTH: Final = 160  # of a table; piped output has no width of its own
# Bytes of file names that are not UTF-8 (surrogates), and what would command a terminal.
_NOT_SHOWN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


def shown(text: str) -> str:
    """``text`` with what no terminal and no UTF-8 file can hold written as an escape (``\\udcff``, ``\\x1b``)."""
    return _NOT_SHOWN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class _Remarks:
    """Plain lines on standard error: standard output is for answers."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def print(self, text: str, style: str = "") -> None:
        """One remark; ``style`` is a colour or weight for terminals. Lines are never wrapped, so grep finds them."""
        self.console.print(Text(shown(text), style), soft_wrap=True)


remarks: Final = _Remarks()


def json_option(command: Decorated) -> Decorated:
    """Add ``--json`` as the parameter ``as_json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Answer with one JSON object on standard output."
    )(command)


def print_json(answer: Any) -> None:
    """One object, one line of UTF-8, so that the last line of any output can be parsed.

    A byte of a file name that is not UTF-8 becomes ``\\udcXX``: Python's ``os.fsencode`` gives the name back.
    """
    line = json.dumps(answer, ensure_ascii=False, allow_nan=False)
    click.echo(_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", line))


def print_line(text: str) -> None:
    """One plain line on standard output."""
    click.echo(shown(text))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table of plain text on standard output."""
    table = Table(title=shown(title), title_justify="left", highlight=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(shown(str(cell)) for cell in row))
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    Console(highlight=False, markup=False, emoji=False, width=width).print(table)


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show progress on standard error; yields a function to call with how many more are done.

    On a terminal a bar with the time left, otherwise (and on one that cannot move its cursor) a line at the start.
    """
    if not remarks.console.is_terminal or remarks.console.is_dumb_terminal:
        remarks.print(f"{what}{f' ({total})' if total is not None else ''} ...")
        yield lambda _more: None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=remarks.console, transient=True) as progress:
        task = progress.add_task(shown(what), total=total)
        yield lambda more: progress.advance(task, more)
