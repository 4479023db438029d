"""Patterns of channels that come from outside."""

from __future__ import annotations

from tidzam_platform.channel_patterns import valid_channel_pattern
from tidzam_platform.errors import InvalidNameError


def channel_pattern(text: str) -> str:
    """A pattern for the whole name of a channel, whose ``*`` and ``?`` stand for letters; ValueError if it is none."""
    try:
        return valid_channel_pattern(text)
    except InvalidNameError as error:
        raise ValueError(str(error)) from error
