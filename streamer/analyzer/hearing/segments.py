"""A ring's table of segments, followed: only what is new is read, only what is still to come is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from streamer.engine.rings import ChannelSegment, Segment
from streamer.engine.rings.layout import Words
from streamer.engine.rings.tables import entries

Row = TypeVar("Row", ChannelSegment, Segment)


class NewSegments(Generic[Row]):
    """Rows of a table in a ring's header, in order of the frame that their first number is.

    ``segments_kept()`` makes all 1024 rows anew each time; here a look costs next to nothing where nothing changed.

    Args:
        words: header of the ring.
        table: the table, int64 ``[rows, words]``.
        claimed: number of the header word that counts rows claimed.
        written: of the word that counts rows written.
        make: a row of what its numbers say.
    """

    def __init__(
        self, words: Words, table: Words, claimed: int, written: int, make: Callable[[list[int]], Row]
    ) -> None:
        self._words, self._table, self._claimed, self._written = words, table, claimed, written
        self._make: Callable[[list[int]], Row] = make
        self._rows: list[Row] = []
        self._seen = 0
        self.have_gone = False
        """Whether rows were overwritten before they were read: then what was before the first row is not known."""

    def known(self) -> Sequence[Row]:
        """All rows that are kept, oldest first."""
        if int(self._words[self._written]) != self._seen:
            first, rows = entries(self._words, self._table, self._claimed, self._written)
            if first > self._seen:
                self._rows, self._seen, self.have_gone = [], first, True
            self._rows += [self._make(row) for row in rows[self._seen - first :].tolist()]
            self._seen = first + len(rows)
        return self._rows

    def newest(self, frame: int) -> Sequence[Row]:
        """The row in which ``frame`` is, and all later ones; what is before ``frame`` will not be asked for again."""
        self.known()
        self.forget_before(frame)
        return self._rows

    def forget_before(self, frame: int) -> None:
        """What is before ``frame`` will not be asked for again."""
        rows = self._rows
        past = 0
        while past + 1 < len(rows) and rows[past + 1][0] <= frame:
            past += 1
        if past:
            # A new list: whoever goes through the old one sees it unchanged.
            self._rows = rows[past:]
