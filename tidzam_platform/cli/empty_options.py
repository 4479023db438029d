"""An option with an empty value is refused: an unset shell variable left it, and it would count as not given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click
from click.core import ParameterSource

_MARK: Final = "tidzam_refuses_empty"


def refuse_empty_options(command: click.Command) -> None:
    """Let each option of a command, and of those below it, refuse an empty text (exit code 2); defaults may be empty.

    Calling it again changes nothing.
    """
    for option in command.params:
        if isinstance(option, click.Option) and not option.is_flag and not hasattr(option, _MARK):
            setattr(option, _MARK, True)
            # Before the type looks at it: of an empty text a path makes the folder where we are.
            setattr(option, "process_value", _refusing(option, option.process_value))  # noqa: B010 - a method
    if isinstance(command, click.Group):
        for below in command.commands.values():
            refuse_empty_options(below)


def _refusing(
    option: click.Option, process: Callable[[click.Context, Any], Any]
) -> Callable[[click.Context, Any], Any]:
    def look(ctx: click.Context, value: Any) -> Any:
        given = value if isinstance(value, tuple | list) else (value,)
        source = ctx.get_parameter_source(option.name or "")
        if source is ParameterSource.COMMANDLINE and any(_is_empty(one) for one in given):
            raise click.BadParameter(
                "an empty value says nothing; leave the option out, or give it one", ctx, option
            )
        return process(ctx, value)

    return look


def _is_empty(value: object) -> bool:
    return isinstance(value, str) and not value.strip(" ,\t\r\n")  # a list without words, too
