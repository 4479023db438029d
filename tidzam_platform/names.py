"""Names that people give, and their validation: sources, channels, class-path segments."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from tidzam_platform.errors import InvalidNameError

MAX_NAME_LENGTH: Final = 64
_MOST_REMEMBERED: Final = 4096  # live audio asks for the same ones all the time
MAX_CHANNELS: Final = 9999  # of one source
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_CHANNEL = re.compile(r"(?P<source>[A-Za-z0-9][A-Za-z0-9_-]*):out_(?P<number>[1-9][0-9]{0,3})")


def valid_source(name: str) -> str:
    """Return ``name`` if it can name a source, else raise InvalidNameError."""
    if not is_source(name):
        raise InvalidNameError(
            f"{name!r} cannot name a source: use letters, digits, '_' and '-', "
            f"begin with a letter or digit, {MAX_NAME_LENGTH} characters at most"
        )
    return name


def is_source(name: str) -> bool:
    """Whether ``name`` can name a source."""
    return len(name) <= MAX_NAME_LENGTH and _SOURCE.fullmatch(name) is not None


@lru_cache(_MOST_REMEMBERED)
def channel(source: str, number: int) -> str:
    """Name of channel ``number`` (from 1) of ``source``, e.g. ``marsh:out_1``."""
    if not 1 <= number <= MAX_CHANNELS:
        raise InvalidNameError(f"channels count from 1 to {MAX_CHANNELS}; there is no channel {number}")
    return f"{valid_source(source)}:out_{number}"


def split_channel(name: str) -> tuple[str, int]:
    """The source and the number (from 1) of a channel name."""
    match = _CHANNEL.fullmatch(name)
    if match is None:
        raise InvalidNameError(f"{name!r} is no channel: write it like marsh:out_1")
    return valid_source(match["source"]), int(match["number"])
