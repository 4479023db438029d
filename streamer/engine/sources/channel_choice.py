"""Which channels of an input a source takes: ``0,3`` or ``channel4,test_chan5``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MAX_CHANNELS: Final = 64  # of one source; ffmpeg's resampler takes no more
# The number at the end of a channel's or a port's name counts from 1, as JACK's ports do.
_NAMED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*?(?P<number>[1-9][0-9]{0,3})")
_INDEX: Final = re.compile(r"[0-9]{1,4}")


def parse_channels(value: str | Iterable[int | str]) -> tuple[int, ...] | None:
    """Indices from 0 of the channels that are meant, in the order in which they are named.

    Args:
        value: comma-separated, or a list: numbers are indices from 0; names end in a number from 1
            (``channel4`` and ``marsh:out_4`` are both index 3).

    Returns:
        The indices; None for nothing at all, which means every channel.

    Raises:
        ValueError: an entry is neither, is out of range, or comes twice.
    """
    entries = value.split(",") if isinstance(value, str) else list(value)
    if isinstance(value, str) and not value.strip():
        return None
    chosen: list[int] = []
    for entry in entries:
        index = _index_of(entry)
        if index >= MAX_CHANNELS:
            raise ValueError(f"{entry!r} lies beyond the {MAX_CHANNELS} channels that a source may have")
        if index in chosen:
            raise ValueError(f"{entry!r} names a channel that is already chosen (index {index})")
        chosen.append(index)
    return tuple(chosen) or None


def _index_of(entry: int | str) -> int:
    if isinstance(entry, bool) or not isinstance(entry, int | str):
        raise ValueError(f"{entry!r} is no channel: write indices from 0, or names that end in a number")  # noqa: TRY004
    text = str(entry).strip()
    if _INDEX.fullmatch(text):
        return int(text)
    named = _NAMED.fullmatch(text)
    if named is None:
        raise ValueError(
            f"{text!r} is no channel: write indices from 0 such as 0,3, or names that end in a number from 1 "
            "such as channel4"
        )
    return int(named["number"]) - 1
