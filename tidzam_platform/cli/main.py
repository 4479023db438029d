"""The entry of the command line: finds the commands, turns typed errors into messages and exit codes."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click

from tidzam_platform import __version__
from tidzam_platform.cli import help_page
from tidzam_platform.errors import TidzamError

COMMANDS_GROUP = "tidzam.commands"
_EXIT_INTERRUPTED = 130  # what shells report for SIGINT


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
            return command
        return None


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="tidzam")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
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
    """Run the command line; exits with the error's own code, 2 for wrong usage, 130 after Ctrl-C."""
    try:
        sys.exit(cli.main(arguments, prog_name="tidzam", standalone_mode=False) or 0)
    except TidzamError as error:
        click.secho(f"tidzam: {error}", fg="red", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as finished:
        sys.exit(finished.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.secho("tidzam: stopped", err=True)
        sys.exit(_EXIT_INTERRUPTED)
    except BrokenPipeError:  # the reader of our output is gone, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
