"""Patterns of channels and classes, as people write them into files of outputs and of alerts."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from tidzam_platform.errors import InvalidNameError
from tidzam_platform.labels.class_paths import is_within, valid_class_path

EVERYTHING: Final = "*"


def _class_path(path: str) -> str:
    if path == EVERYTHING:
        return path
    try:
        return valid_class_path(path)
    except InvalidNameError as error:
        raise ValueError(str(error)) from error


ChannelPattern = Annotated[str, Field(min_length=1, max_length=100)]
"""``*``, ``?`` and ``[...]`` stand for letters of a channel's whole name."""

ClassChoice = Annotated[str, AfterValidator(_class_path)]
"""A class with all that lies below it; ``*`` is every class."""


def is_chosen_channel(channel: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns is of that channel."""
    return any(fnmatchcase(channel, pattern) for pattern in patterns)


def is_chosen_class(class_path: str, choices: Sequence[str]) -> bool:
    """Whether it is one of the classes, or lies below one."""
    return any(choice == EVERYTHING or is_within(class_path, choice) for choice in choices)
