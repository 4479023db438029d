"""One channel's windows in the order of the grid, however they come."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.analyzer.asking.index_ranges import IndexRanges
from streamer.analyzer.asking.spans import Lane
from streamer.analyzer.windows import WindowKey

_OVERHEAD_BYTES: Final = 400  # of a window that is held, beside its scores


@dataclass(slots=True)
class HeardWindow:
    """What the model said of one window.

    Attributes:
        key: which window.
        generation: that answered.
        scores: float32 ``[classes]``.
        embedding: float32 ``[d]``; None once the window has been told, or where it came late and had to wait.
        level_dbfs: of the window.
        was_spooled: it waited on disk.
        is_told: its result has gone out already.
    """

    key: WindowKey
    generation: int
    scores: NDArray[np.float32]
    embedding: NDArray[np.float32] | None
    level_dbfs: float
    was_spooled: bool
    is_told: bool = False

    @property
    def held_bytes(self) -> int:
        """Memory that it takes, about."""
        return self.scores.nbytes + _OVERHEAD_BYTES


@dataclass(slots=True, eq=False)
class Stretch:
    """Windows of a lane that one chain decides, and what is still to come of them.

    Attributes:
        lane: run and channel.
        since: number on the grid, below which windows belong to the stretch before.
        expected: windows that are neither heard nor lost.
        is_open: more windows may be expected.
        passed: number of the last window that was passed on, -1 before.
    """

    lane: Lane
    since: int
    expected: IndexRanges = field(default_factory=IndexRanges)
    is_open: bool = True
    passed: int = -1
    _held: dict[int, HeardWindow] = field(default_factory=dict)
    _order: list[int] = field(default_factory=list)
    held_bytes: int = 0

    def hold(self, index: int, window: HeardWindow) -> None:
        """Keep a window that came before its time, without what pins its batch in memory."""
        window.scores = window.scores.copy()
        if window.was_spooled:
            window.embedding = None
        insort(self._order, index)
        self._held[index] = window
        self.held_bytes += window.held_bytes

    def release(self) -> Iterator[tuple[int, HeardWindow]]:
        """Those held windows, in order, before which nothing is expected any more."""
        free = 0
        while free < len(self._order) and not (self.expected and self.expected.first < self._order[free]):
            free += 1
        released, self._order = self._order[:free], self._order[free:]
        for index in released:
            window = self._held.pop(index)
            self.held_bytes -= window.held_bytes
            yield index, window

    def split(self) -> Stretch:
        """A stretch of its own for the held windows and all after them, which wait no longer for what is before.

        This one goes on with what is expected before the first held window, and ends there.
        """
        first = self._order[0]
        following = Stretch(self.lane, first, self.expected, self.is_open)
        self.expected, self.is_open = self.expected.split(first), False
        following._held, self._held = self._held, {}
        following._order, self._order = self._order, []
        following.held_bytes, self.held_bytes = self.held_bytes, 0
        return following

    @property
    def is_over(self) -> bool:
        """Whether nothing comes any more."""
        return not (self.is_open or self.expected or self._order)

    @property
    def first_held(self) -> int | None:
        """Number of the first window that is held; None if none is."""
        return self._order[0] if self._order else None
