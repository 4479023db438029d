"""The runs of a group of channels: where one begins and ends, and what becomes of its samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from streamer.analyzer.hearing.cutter import Cause, RunCutter
from streamer.analyzer.hearing.history import AudioHistory
from streamer.analyzer.hearing.moments import MomentMaker
from streamer.analyzer.hearing.resampling import Resampled, ToModelRate, engine_frames, frames_at
from streamer.analyzer.hearing.tally import Tally
from streamer.analyzer.hearing.timeline import Timeline
from streamer.analyzer.windows import Geometry, Run
from streamer.engine.reserved_names import LIVE_STREAMS
from streamer.engine.rings import ENGINE_RATE_HZ, Anchor, utc_ns_after
from tidzam_platform.audio.blocks import Samples


@dataclass(frozen=True)
class Outlets:
    """Where what a hearer hears goes; all of its groups share them.

    Attributes:
        moments: gathers windows.
        history: keeps samples, but for those of live streams; None if nobody wants them.
        tally: counts.
        on_run_end: told of each run that has ended, and for which channels, after its last window.
        monotonic: seconds.
    """

    moments: MomentMaker
    history: AudioHistory | None
    tally: Tally
    on_run_end: Callable[[Run, tuple[int, ...]], None]
    monotonic: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of a run, without a gap.

    Attributes:
        anchor: of the run.
        frame: of the first one, counted from the anchor at 48 kHz.
        samples: float32 ``[channels, frames]`` in [-1, 1].
        arrived_s: ``time.monotonic()`` when the first one was in the rings.
        interrupted: whether silence was put in before it.
    """

    anchor: Anchor
    frame: int
    samples: Samples
    arrived_s: float
    interrupted: bool

    def arrived_of(self, frame: int) -> float:
        """When the samples before ``frame`` were in the rings."""
        return self.arrived_s + (frame - self.frame) / ENGINE_RATE_HZ


class RunFollower:
    """Takes the samples of a group of channels and makes windows of them. For one thread.

    Args:
        source: the name of their source.
        numbers: of its channels, from 1, in the order of the samples' rows.
        timeline: knows the anchors.
        geometry: how windows are cut.
        outlets: where they go.
    """

    def __init__(
        self,
        source: str,
        numbers: tuple[int, ...],
        timeline: Timeline,
        geometry: Geometry,
        outlets: Outlets,
    ) -> None:
        self._source, self._numbers, self._timeline = source, numbers, timeline
        self._geometry, self._outlets = geometry, outlets
        self._anchor: Anchor | None = None  # of the run that was heard last
        self._next: int = 0  # its next frame, from the anchor at 48 kHz
        self._rate: ToModelRate | None = None
        self._cutter: RunCutter | None = None

    @property
    def wanted_frames(self) -> int:
        """How many frames at 48 kHz must come, at least, until there may be a window."""
        missing = self._geometry.window_frames
        if self._cutter is not None:
            missing = min(missing, self._cutter.missing_frames)
        return engine_frames(missing, self._geometry.rate_hz)

    def hear(self, piece: Piece, cause: Cause) -> None:
        """Take samples; ``cause`` is why those before are missing, if some are."""
        if piece.anchor != self._anchor:
            self._end_before(piece.anchor, cause)
            # A run that began while others were heard is missed from its very beginning.
            self._begin(piece, is_known_from_start=self._anchor is not None)
        elif self._rate is None or self._cutter is None:
            self._begin(piece, is_known_from_start=False)
        elif piece.frame > self._next:
            self._flush(self._cutter, self._rate)
            self._rate = ToModelRate(len(self._numbers), self._geometry.rate_hz, piece.frame)
        elif piece.interrupted:
            self._outlets.tally.interrupted(self._source, self._numbers)
        self._take(piece, cause)

    def end(self) -> None:
        """The channels have gone."""
        end = self._timeline.end_frame
        is_whole = self._anchor is not None and end == self._anchor.frame + self._next
        self._end(None, Cause.SKIPPED, is_whole=is_whole)

    def cut_by(self, geometry: Geometry) -> None:
        """Windows are cut by another geometry from now on; the one under way is dropped."""
        if geometry != self._geometry:
            self._drop(self._numbers)
            self._rate = self._cutter = None
            self._geometry = geometry

    def keep_rows(self, rows: Sequence[int]) -> None:
        """The channels of the other rows have gone; what is under way of them is dropped."""
        self._drop(tuple(number for row, number in enumerate(self._numbers) if row not in rows))
        self._numbers = tuple(self._numbers[row] for row in rows)
        if self._rate is not None and self._cutter is not None:
            self._rate.keep_rows(rows)
            self._cutter.keep_rows(rows)

    def _begin(self, piece: Piece, *, is_known_from_start: bool) -> None:
        self._rate = ToModelRate(len(self._numbers), self._geometry.rate_hz, piece.frame)
        self._cutter = RunCutter(self._run(piece.anchor), 0 if is_known_from_start else self._rate.next_frame)
        self._anchor = piece.anchor
        self._outlets.tally.runs += 1

    def _take(self, piece: Piece, cause: Cause) -> None:
        assert self._rate is not None  # noqa: S101 - the run was begun
        assert self._cutter is not None  # noqa: S101
        outlets = self._outlets
        self._next = piece.frame + piece.samples.shape[1]
        if outlets.history is not None and self._source != LIVE_STREAMS:  # what people send is not kept
            outlets.history.append(
                self._source, self._numbers, piece.anchor.utc_ns, piece.frame, piece.samples
            )
        outlets.tally.reached(
            self._source,
            self._numbers,
            utc_ns_after(Anchor(0, piece.anchor.utc_ns), self._next, ENGINE_RATE_HZ),
        )
        self._cut(self._cutter, self._rate.feed(piece.samples), cause, piece.arrived_of)

    def _end_before(self, following: Anchor, cause: Cause) -> None:
        """The run ends, for the samples of the next one have come."""
        if self._anchor is None or self._cutter is None:
            return
        later = self._timeline.anchors_between(self._anchor, following)
        if not later:
            self._end(None, cause, is_whole=False)
            return
        self._end(later[0].frame - self._anchor.frame, cause, is_whole=False)
        if cause is not Cause.SKIPPED:  # else the source jumped over them
            for unheard, its_end in pairwise(later):
                cutter = RunCutter(self._run(unheard), 0)
                cutter.finish(frames_at(its_end.frame - unheard.frame, self._geometry.rate_hz), cause)
                self._count(cutter, 0)

    def _end(self, end_frame: int | None, cause: Cause, *, is_whole: bool) -> None:
        """The run has ended.

        Args:
            end_frame: where, counted from the anchor at 48 kHz; None where it was broken off.
            cause: why what is missing up to there did not come.
            is_whole: all of it was heard.
        """
        if self._cutter is None or self._rate is None:
            return
        cutter = self._cutter
        self._flush(cutter, self._rate)
        if is_whole or end_frame == self._next:
            last = cutter.finish(cutter.end, cause)
        elif end_frame is None or cause is Cause.SKIPPED:
            last = cutter.finish(None, cause)
        else:
            last = cutter.finish(frames_at(end_frame, self._geometry.rate_hz), cause)
        if last is not None:
            self._outlets.moments.add(last, self._numbers, self._outlets.monotonic())
        self._count(cutter, int(last is not None))
        self._drop(self._numbers)
        self._rate = self._cutter = None

    def _drop(self, numbers: tuple[int, ...]) -> None:
        """There will be no more windows of the run for these channels."""
        if self._cutter is not None and numbers:
            self._outlets.moments.flush()
            self._outlets.on_run_end(self._cutter.run, numbers)

    def _flush(self, cutter: RunCutter, rate: ToModelRate) -> None:
        now_s = self._outlets.monotonic()
        self._cut(cutter, rate.flush(), Cause.SKIPPED, lambda _frame: now_s)

    def _cut(
        self, cutter: RunCutter, resampled: Resampled, cause: Cause, arrived_of: Callable[[int], float]
    ) -> None:
        cutter.append(resampled.frame, resampled.samples, cause)
        count = 0
        for cut in cutter.windows():
            end = engine_frames(cut.start_frame + self._geometry.window_frames, self._geometry.rate_hz)
            self._outlets.moments.add(cut, self._numbers, arrived_of(end))
            count += 1
        self._count(cutter, count)

    def _count(self, cutter: RunCutter, windows: int) -> None:
        if windows or cutter.left_out:
            self._outlets.tally.heard(self._source, self._numbers, windows, cutter.left_out)
            cutter.left_out.clear()

    def _run(self, anchor: Anchor) -> Run:
        return Run(self._source, anchor.utc_ns, self._geometry)
