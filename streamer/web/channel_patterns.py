"""Patterns of channels that come from outside."""

from __future__ import annotations

import re
from typing import Final

from tidzam_platform.detections.channel_patterns import valid_pattern
from tidzam_platform.errors import InvalidNameError

_MAX_STARS: Final = 4
_STARS: Final = re.compile(r"\*+")


def channel_pattern(text: str) -> str:
    """A pattern for the whole name of a channel, whose ``*`` and ``?`` stand for letters.

    Raises:
        ValueError: it is none. More than four ``*`` are none: some matchers try all ways in which they could match,
            which are too many to be waited for.
    """
    try:
        pattern = _STARS.sub("*", valid_pattern(text))
    except InvalidNameError as error:
        raise ValueError(str(error)) from error
    if pattern.count("*") > _MAX_STARS:
        raise ValueError(f"{text!r} has more than {_MAX_STARS} '*': write less of them, or several patterns")
    return pattern
