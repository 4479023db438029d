"""Windows that became whole at about the same time, gathered into moments for the model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from streamer.analyzer.hearing.cutter import Cut
from streamer.analyzer.windows import Moment, WindowKey

MOST_ROWS: Final = 64  # where the model is most efficient, and where serving.client splits


@dataclass(slots=True)
class _Waiting:
    cut: Cut
    numbers: tuple[int, ...]
    ended_s: float
    done: int = 0  # channels of it that are in a moment already


class MomentMaker:
    """Gathers windows until ``flush`` or until there are 64 rows; windows of one channel stay in order.

    For one thread.

    Args:
        on_moment: gets each moment, in the thread that gathers.
    """

    def __init__(self, on_moment: Callable[[Moment], None]) -> None:
        self._on_moment = on_moment
        self._waiting: deque[_Waiting] = deque()
        self._rows = 0
        self.moments = 0
        """Moments made."""

    def add(self, cut: Cut, numbers: tuple[int, ...], ended_s: float) -> None:
        """A window of the channels ``numbers``; row i of its samples is channel ``numbers[i]``."""
        if self._waiting and self._waiting[0].cut.run.geometry != cut.run.geometry:
            self.flush()
        self._waiting.append(_Waiting(cut, numbers, ended_s))
        self._rows += len(numbers)
        while self._rows >= MOST_ROWS:
            self._make(MOST_ROWS)

    def flush(self) -> None:
        """Hand on what has been gathered."""
        if self._rows:
            self._make(self._rows)

    def _make(self, rows: int) -> None:
        geometry = self._waiting[0].cut.run.geometry
        audio = np.empty((rows, geometry.window_frames), np.float32)
        keys: list[WindowKey] = []
        while len(keys) < rows:
            waiting = self._waiting[0]
            cut, begin = waiting.cut, waiting.done
            numbers = waiting.numbers[begin : begin + rows - len(keys)]
            cut.write(audio[len(keys) : len(keys) + len(numbers)], begin)
            keys += [WindowKey(cut.run, number, cut.start_frame, waiting.ended_s) for number in numbers]
            waiting.done += len(numbers)
            if waiting.done == len(waiting.numbers):
                self._waiting.popleft()
        self._rows -= rows
        self.moments += 1
        self._on_moment(Moment(tuple(keys), audio))
