"""Options that benches of many channels share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def channels_option(says: str) -> Callable[[Command], Command]:
    """``--channels``; ``says`` is its help."""
    return click.option("--channels", type=click.IntRange(1, 1024), default=128, show_default=True, help=says)


def seconds_option(command: Command) -> Command:
    """``--seconds``."""
    return click.option(
        "--seconds", type=click.FloatRange(1), default=120.0, show_default=True, help="How long is counted."
    )(command)


def per_source_option(says: str) -> Callable[[Command], Command]:
    """``--channels-per-source``; ``says`` is its help."""
    return click.option(
        "--channels-per-source", type=click.IntRange(1, 64), default=8, show_default=True, help=says
    )


def search_option(command: Command) -> Command:
    """``--search/--no-search``."""
    return click.option(
        "--search/--no-search",
        default=True,
        show_default=True,
        help="Also look for the largest number of channels that holds.",
    )(command)
