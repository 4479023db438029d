"""Short tables in a ring's header: of the newest entries, written by one party, read by any without a lock."""

from __future__ import annotations

from typing import Final

import numpy as np

from streamer.engine.rings.fences import fence
from streamer.engine.rings.layout import Words

_TRIES: Final = 1000  # the writer adds a few entries a second; a reader copies in microseconds


def append(words: Words, table: Words, claimed: int, written: int, entry: tuple[int, ...]) -> None:
    """Add ``entry``; the oldest one goes when the table is full. ``claimed``, ``written``: numbers of header words."""
    count = int(words[written])
    words[claimed] = count + 1
    fence()
    table[count % len(table), : len(entry)] = entry
    fence()
    words[written] = count + 1


def entries(words: Words, table: Words, claimed: int, written: int) -> tuple[int, Words]:
    """The number of the first entry that is still there, and the entries from it on, oldest first: int64 ``[n, w]``.

    Entries are numbered from 0 in the order in which they were written.
    """
    size = len(table)
    for _ in range(_TRIES):
        end = int(words[written])
        fence()
        copied = table[np.arange(max(0, end - size), end) % size]
        fence()
        first = max(
            0, int(words[claimed]) - size
        )  # older ones may have been overwritten while they were copied
        if first < end or end == 0:
            return first, copied[first - max(0, end - size) :]
    return end, copied[:0]
