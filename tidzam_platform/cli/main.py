"""The entry of the command line: finds each room's commands, turns typed errors into messages and exit codes."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click

from tidzam_platform import __version__
from tidzam_platform.errors import TidzamError

COMMANDS_GROUP = "tidzam.commands"
_EXIT_INTERRUPTED = 130  # what shells report for SIGINT

HELP = """Tidzam hears what happens around microphones: birds to species, frogs, insects, rain, cars, voices.

\b
First steps:
  ./tidzam demo                          a made site: train, serve, listen, look around
  ./tidzam dataset import labels.csv     your labelled clips
  ./tidzam generation run                train on them, check, and serve if it is good
  ./tidzam serve                         start the model server
  ./tidzam analyze recording.opus        what is heard in a file

Every command explains itself with --help; most answer scripts with --json.
Data lives in one folder: --home, TIDZAM_HOME, or var/ in a checkout.
"""


class _Commands(click.Group):
    """Commands named by entry points, imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(point.name for point in entry_points(group=COMMANDS_GROUP))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        for point in entry_points(group=COMMANDS_GROUP, name=cmd_name):
            command = point.load()
            assert isinstance(command, click.Command)  # noqa: S101 - a wrong entry point is our own mistake
            return command
        return None


@click.group(cls=_Commands, help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="tidzam")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="The data folder (default: TIDZAM_HOME or var/).")
def cli(home: Path | None) -> None:
    """See HELP."""
    if home is not None:  # processes that we start must see the same home
        os.environ["TIDZAM_HOME"] = str(home.expanduser().absolute())


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
