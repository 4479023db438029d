"""Puts what was heard back into the order of the grid, channel by channel, within a bound of memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from streamer.analyzer.asking.spans import Lane, WindowSpan, index_of, lane_of
from streamer.analyzer.deciding.stretch import HeardWindow, Stretch
from streamer.analyzer.windows import Run, WindowKey


@dataclass(slots=True)
class _Line:
    """A lane: its stretches in the order of the grid, the last of which may be open."""

    stretches: list[Stretch]
    heard_of_s: float


@dataclass(frozen=True, slots=True)
class Step:
    """What a chain does next: it takes the window, or ends (None)."""

    stretch: Stretch
    window: HeardWindow | None


class Sequencer:
    """Windows are expected in order, come in any order, and are passed on in order; not safe for several threads.

    A window that comes before one that is expected is held until that one is heard or lost. When too much is held the
    longest row is no longer held: it goes on as a stretch of its own, and what is expected before it becomes a stretch
    that comes late. Each window is passed on at most once; what was not expected, or comes twice, never.

    Args:
        held_bytes: most memory of windows that are held, about.
        clock: monotonic seconds.
    """

    def __init__(self, held_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_held_bytes, self._clock = held_bytes, clock
        self._lines: dict[Lane, _Line] = {}
        self._runs: dict[tuple[str, int], Run] = {}  # the newest run of each channel
        self._steps: list[Step] = []
        self._held_bytes = 0
        self._unexpected: list[WindowKey] = []
        self.unexpected = 0
        """Windows that came although nobody expected them, or once more."""
        self.splits = 0
        """How often too much was held."""

    def expect(self, keys: Iterable[WindowKey]) -> None:
        """These windows will be heard or lost; a run that is new on a channel ends the one before."""
        for key in keys:
            self._expect(key.run, key.number, index_of(key.run, key.start_frame), None)

    def expect_spans(self, spans: Iterable[WindowSpan]) -> None:
        """As ``expect``."""
        for span in spans:
            first, last = index_of(span.run, span.first_frame), index_of(span.run, span.last_frame)
            self._expect(span.run, span.number, first, last)

    def resolve(self, windows: Iterable[HeardWindow]) -> list[HeardWindow]:
        """Windows were heard. Returns those that must wait for others; the rest is among the steps."""
        held = []
        for window in windows:
            key = window.key
            index = index_of(key.run, key.start_frame)
            stretch = self._stretch_of(lane_of(key), index)
            if stretch is None or not stretch.expected.remove(index):
                self.unexpected += 1
                self._unexpected += [key] if window.was_spooled else []
                continue
            if stretch.expected and stretch.expected.first < index:
                self._held_bytes -= stretch.held_bytes
                stretch.hold(index, window)
                self._held_bytes += stretch.held_bytes
                held.append(window)
            else:
                self._pass_on(stretch, index, window)
                self._release(stretch)
        while self._held_bytes > self._most_held_bytes:
            self._split_longest()
        return held

    def lost(self, keys: Iterable[WindowKey]) -> None:
        """These windows will not be heard."""
        touched: dict[Stretch, None] = {}
        for key in keys:
            index = index_of(key.run, key.start_frame)
            stretch = self._stretch_of(lane_of(key), index)
            if stretch is not None and stretch.expected.remove(index):
                touched[stretch] = None
        for stretch in touched:
            self._release(stretch)

    def end(self, run: Run, numbers: Collection[int] | None = None) -> None:
        """No more windows of a run will be expected, on these channels or on any."""
        for lane in [lane for lane in self._lines if lane[0] == run]:
            if numbers is None or lane[1] in numbers:
                self._close(lane)

    def end_quiet(self, before_s: float) -> None:
        """No more windows will be expected of lanes of which nothing was heard since then (``clock``)."""
        quiet = [
            lane
            for lane, line in self._lines.items()
            if line.heard_of_s < before_s and not line.stretches[-1].expected
        ]
        for lane in quiet:
            self._close(lane)

    def end_all(self) -> None:
        """Nothing is waited for any more: all that is held is passed on, in order, and all stretches end."""
        for line in self._lines.values():
            for stretch in line.stretches:
                while (first := stretch.first_held) is not None:
                    stretch.expected.split(first)
                    self._release(stretch, keep=True)
                self._steps.append(Step(stretch, None))
        self._lines.clear()
        self._runs.clear()

    def take_steps(self) -> list[Step]:
        """What is to be done since the last call, in order for each channel."""
        steps, self._steps = self._steps, []
        return steps

    def take_unexpected(self) -> list[WindowKey]:
        """Windows from the spool, since the last call, that nobody expected: they lead to nothing."""
        unexpected, self._unexpected = self._unexpected, []
        return unexpected

    @property
    def held_bytes(self) -> int:
        """Memory of windows that are held, about."""
        return self._held_bytes

    @property
    def expected_windows(self) -> int:
        """How many windows are neither heard nor lost."""
        return sum(len(stretch.expected) for line in self._lines.values() for stretch in line.stretches)

    def _expect(self, run: Run, number: int, first: int, last: int | None) -> None:
        channel = (run.source, number)
        before = self._runs.get(channel)
        if before is not None and before != run:
            self._close((before, number))
        self._runs[channel] = run
        lane = (run, number)
        line = self._lines.get(lane)
        if line is None:
            line = self._lines[lane] = _Line([Stretch(lane, 0)], 0.0)
        line.heard_of_s = self._clock()
        stretch = line.stretches[-1]
        if not stretch.is_open:  # a run that had ended goes on
            stretch = Stretch(lane, first)
            line.stretches.append(stretch)
        if first > stretch.passed:
            stretch.expected.add(first, last)

    def _stretch_of(self, lane: Lane, index: int) -> Stretch | None:
        line = self._lines.get(lane)
        if line is None:
            return None
        line.heard_of_s = self._clock()
        return next((one for one in reversed(line.stretches) if one.since <= index), None)

    def _pass_on(self, stretch: Stretch, index: int, window: HeardWindow) -> None:
        stretch.passed = index
        self._steps.append(Step(stretch, window))

    def _release(self, stretch: Stretch, *, keep: bool = False) -> None:
        self._held_bytes -= stretch.held_bytes
        for index, window in stretch.release():
            self._pass_on(stretch, index, window)
        self._held_bytes += stretch.held_bytes
        if stretch.is_over and not keep:
            self._drop(stretch)

    def _drop(self, stretch: Stretch) -> None:
        """A stretch is over."""
        self._steps.append(Step(stretch, None))
        stretches = self._lines[stretch.lane].stretches
        stretches.remove(stretch)
        if not stretches:
            del self._lines[stretch.lane]

    def _close(self, lane: Lane) -> None:
        run, number = lane
        if self._runs.get((run.source, number)) == run:
            del self._runs[run.source, number]
        line = self._lines.get(lane)
        if line is not None and line.stretches[-1].is_open:
            line.stretches[-1].is_open = False
            if line.stretches[-1].is_over:
                self._drop(line.stretches[-1])

    def _split_longest(self) -> None:
        stretch = max(
            (one for line in self._lines.values() for one in line.stretches), key=lambda one: one.held_bytes
        )
        following = stretch.split()
        stretches = self._lines[stretch.lane].stretches
        stretches.insert(stretches.index(stretch) + 1, following)
        self.splits += 1
        self._release(following)
