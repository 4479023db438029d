"""Channels and classes, as people choose them in files of outputs and of alerts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Final

from pydantic import AfterValidator

from tidzam_platform.channel_patterns import valid_channel_pattern
from tidzam_platform.errors import InvalidNameError
from tidzam_platform.labels.class_paths import is_within, valid_class_path

EVERYTHING: Final = "*"


def _as_pydantic_wants(valid: Callable[[str], str]) -> Callable[[str], str]:
    """``valid``, raising ValueError."""

    def validate(text: str) -> str:
        try:
            return text if text == EVERYTHING else valid(text)
        except InvalidNameError as error:
            raise ValueError(str(error)) from error

    return validate


ChannelPattern = Annotated[str, AfterValidator(_as_pydantic_wants(valid_channel_pattern))]
"""See ``tidzam_platform.channel_patterns``, whose ``matches_channel`` goes by it."""

ClassChoice = Annotated[str, AfterValidator(_as_pydantic_wants(valid_class_path))]
"""A class with all that lies below it; ``*`` is every class."""


def is_chosen_class(class_path: str, choices: Sequence[str]) -> bool:
    """Whether it is one of the classes, or lies below one."""
    return any(choice == EVERYTHING or is_within(class_path, choice) for choice in choices)
