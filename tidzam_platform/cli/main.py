"""The entry of the command line: finds the commands, turns typed errors into messages and exit codes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import click

from tidzam_platform import __version__
from tidzam_platform.cli import help_page
from tidzam_platform.cli.empty_options import refuse_empty_options
from tidzam_platform.cli.output import shown
from tidzam_platform.errors import TidzamError
from tidzam_platform.operations.termination import Terminated, WaitEnded

COMMANDS_GROUP = "tidzam.commands"
_EXIT_INTERRUPTED = 130  # what shells report for SIGINT
_EXIT_TERMINATED = 143  # and for SIGTERM
_EXIT_SYSTEM_ERROR: Final = 1
_REMEDIES: Final = {
    errno.ENOSPC: "free some space there, or keep the data elsewhere with --home",
    errno.EDQUOT: "free some space there, or keep the data elsewhere with --home",
    errno.EACCES: "give yourself the right to it, or keep the data elsewhere with --home",
    errno.EPERM: "give yourself the right to it, or keep the data elsewhere with --home",
    errno.EROFS: "the disk is mounted read-only; keep the data elsewhere with --home",
    errno.EMFILE: "raise the number of open files (ulimit -n)",
}


class _Commands(click.Group):
    """Commands named by entry points, imported when they are asked for; the help page imports none."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(help_page.text() + "\n")
        self.format_commands(ctx, formatter)
        with formatter.section("Options"):
            formatter.write_dl(
                [row for option in self.get_params(ctx) if (row := option.get_help_record(ctx))]
            )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        on_the_page = {name for _, commands in help_page.COMMANDS for name, _ in commands}
        if others := [name for name in self.list_commands(ctx) if name not in on_the_page]:
            with formatter.section("More commands"):
                formatter.write_text(", ".join(others))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(point.name for point in entry_points(group=COMMANDS_GROUP))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        for point in entry_points(group=COMMANDS_GROUP, name=cmd_name):
            command = point.load()
            assert isinstance(command, click.Command)  # noqa: S101 - a wrong entry point is our own mistake
            refuse_empty_options(command)
            return command
        return None


class _HomeFolder(click.Path):
    """A folder by name; an empty name, which an unset shell variable leaves, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("an empty name is no folder", param, ctx)
        return super().convert(value, param, ctx)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="tidzam")
@click.option(
    "--home",
    type=_HomeFolder(path_type=Path, file_okay=False),
    help="The data folder (default: TIDZAM_HOME or var/).",
)
@click.pass_context
def cli(ctx: click.Context, home: Path | None) -> None:
    """Show the page of help_page; commands add themselves."""
    if home is not None:  # processes that we start must see the same home
        os.environ["TIDZAM_HOME"] = str(home.expanduser().absolute())
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; exits with the error's own code, 2 for wrong usage, 130 after Ctrl-C, 143 after SIGTERM.

    What the operating system refuses (a full disk, no right to a file) is one line and exit code 1.
    """
    try:
        code = cli.main(arguments, prog_name="tidzam", standalone_mode=False) or 0
        sys.stdout.flush()  # here, so that a full disk is told as one
        sys.exit(code)
    except TidzamError as error:
        from tidzam_platform.operations.supervision.hopeless import exit_code_of

        click.secho(shown(f"tidzam: {error}"), fg="red", err=True)
        sys.exit(exit_code_of(error))
    except click.exceptions.Exit as finished:
        sys.exit(finished.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as stopped:
        causes = list(_causes(stopped))
        said = next((str(one) for one in causes if isinstance(one, WaitEnded)), "stopped")
        click.secho(shown(f"tidzam: {said}"), err=True)
        terminated = any(isinstance(one, Terminated) for one in causes)
        sys.exit(_EXIT_TERMINATED if terminated else _EXIT_INTERRUPTED)
    except BrokenPipeError:  # the reader of our output is gone, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        click.secho(shown(f"tidzam: {_said(error)}"), fg="red", err=True)
        _drop_unwritable_output()
        sys.exit(_EXIT_SYSTEM_ERROR)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it was raised from: Click raises Abort from what it caught."""
    while error is not None:
        yield error
        error = error.__cause__


def _said(error: OSError) -> str:
    """What the operating system refused, where, and how to mend it; one line."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    where = f"{error.filename}: " if error.filename is not None else "writing failed: " if full else ""
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{where}{error.strerror or error}{f'; {remedy}' if remedy else ''}"


def _drop_unwritable_output() -> None:
    """Python writes what is left at its end, and would fail there once more, with a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
