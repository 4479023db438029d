"""Patterns of channel names: ``*`` stands for any letters, ``?`` for any one; the whole name must match."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

from tidzam_platform.errors import InvalidNameError
from tidzam_platform.names import split_channel

MAX_PATTERN_LENGTH: Final = 100
_PATTERN: Final = re.compile(r"[A-Za-z0-9_:*?-]+")


def valid_channel_pattern(pattern: str) -> str:
    """Return ``pattern`` if some channel could match it, else raise InvalidNameError."""
    if len(pattern) > MAX_PATTERN_LENGTH or not _PATTERN.fullmatch(pattern):
        raise InvalidNameError(
            f"{pattern!r} is no pattern of channels: use letters, digits, '_', '-', ':' and, for any letters, '*' "
            f"or '?', {MAX_PATTERN_LENGTH} characters at most"
        )
    if not any(wild in pattern for wild in "*?"):
        try:
            split_channel(pattern)
        except InvalidNameError as error:
            raise InvalidNameError(
                f"{pattern!r} is no channel: write marsh:out_1, or marsh:out_* for all of a source"
            ) from error
    return pattern


def matches_channel(channel: str, patterns: Iterable[str]) -> bool:
    """Whether one of ``patterns`` matches the whole of ``channel``, case included."""
    return any(fnmatchcase(channel, pattern.replace("[", "[[]")) for pattern in patterns)
