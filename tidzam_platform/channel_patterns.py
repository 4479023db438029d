"""Patterns of channel names: ``*`` stands for any letters or none, ``?`` for one, all else for itself.

A pattern describes the whole name: ``marsh:out_1`` is not ``marsh:out_12``, and ``marsh`` is no channel at all.
Capitals count. ``[`` is a letter like others, unlike in a shell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from tidzam_platform.errors import InvalidNameError
from tidzam_platform.names import split_channel

MAX_PATTERN_LENGTH: Final = 100
MAX_STARS: Final = 4
_STARS: Final = re.compile(r"\*+")
_PATTERN: Final = re.compile(r"[A-Za-z0-9_:*?-]+")
_WILD: Final = {"*": ".*", "?": "."}
_MOST_REMEMBERED: Final = 2048


def valid_channel_pattern(pattern: str) -> str:
    """``pattern`` with each run of ``*`` made one, if some channel could match it, else raise InvalidNameError.

    More than four ``*`` are none: a matcher may try all ways in which they could match, which are too many to be
    waited for.
    """
    pattern = _STARS.sub("*", pattern)
    if len(pattern) > MAX_PATTERN_LENGTH or not _PATTERN.fullmatch(pattern):
        raise InvalidNameError(
            f"{pattern!r} is no pattern of channels: use letters, digits, '_', '-', ':' and, for any letters, '*' "
            f"or '?', {MAX_PATTERN_LENGTH} characters at most"
        )
    if pattern.count("*") > MAX_STARS:
        raise InvalidNameError(
            f"{pattern!r} has more than {MAX_STARS} '*': write less of them, or several patterns"
        )
    if not is_wild(pattern):
        try:
            split_channel(pattern)
        except InvalidNameError as error:
            raise InvalidNameError(
                f"{pattern!r} is no channel: write marsh:out_1, or marsh:out_* for all of a source"
            ) from error
    return pattern


def is_wild(pattern: str) -> bool:
    """Whether it may describe more than one name."""
    return any(letter in pattern for letter in _WILD)


def regex_of(patterns: Iterable[str]) -> str:
    """A regular expression (of Python and of RE2) for the whole name of a channel that any of them matches."""
    each = ("".join(_WILD.get(letter, re.escape(letter)) for letter in pattern) for pattern in patterns)
    return f"^(?:{'|'.join(each)})$"


class ChannelPatterns:
    """Several of them, for many names. Any thread may ask; what was asked before costs nothing."""

    def __init__(self, patterns: Iterable[str]) -> None:
        known = tuple(patterns)
        self._expression = re.compile(regex_of(known), re.DOTALL) if known else None
        self._answers: dict[str, bool] = {}

    def match(self, channel: str) -> bool:
        """Whether one of them describes ``channel``."""
        if self._expression is None:
            return False
        answer = self._answers.get(channel)
        if answer is None:
            if len(self._answers) >= _MOST_REMEMBERED:
                self._answers.clear()
            answer = self._answers[channel] = self._expression.fullmatch(channel) is not None
        return answer


def matches_channel(channel: str, patterns: Sequence[str]) -> bool:
    """Whether one of ``patterns`` describes ``channel``."""
    return _remembered(tuple(patterns)).match(channel)


@lru_cache(_MOST_REMEMBERED)
def _remembered(patterns: tuple[str, ...]) -> ChannelPatterns:
    return ChannelPatterns(patterns)
