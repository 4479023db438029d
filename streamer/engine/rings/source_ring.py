"""The ring of a source: interleaved samples from its feeder thread to the graph's callback and to the recorder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from streamer.engine.rings import layout
from streamer.engine.rings.fences import fence
from streamer.engine.rings.frames import Anchor, Fill, Playing, Segment, SegmentKind, utc_ns_after
from streamer.engine.rings.layout import MappedRing, capacity_of, make_file
from streamer.engine.rings.tables import append, entries
from tidzam_platform.errors import AudioGraphError

if TYPE_CHECKING:
    from streamer.engine.rings.folder import RingFolder

RATE_HZ: Final = 48_000
_SHORTEST_S: Final = 0.5  # two of JACK's largest cycles, 8192 frames, and some more


class SourceRing(MappedRing):
    """Samples of one source, float32 ``[frames, channels]``, counted from frame 0 when the ring is made.

    One thread feeds it (``write``, ``write_view``/``commit``, ``byte_view``/``commit_bytes``, ``fill_from``,
    ``set_anchor``, ``flush``, ``finish``), the graph's callback plays it, any number of ``SourceReader``s read it, also
    in other processes. Nothing of it waits, but ``fill_from``.

    ``with SourceRing.create(...) as ring`` closes it at the end. Close the graph's source before.
    """

    kind = layout.SOURCE_KIND

    def __init__(self, path: Path, writable: bool) -> None:
        super().__init__(path, writable)
        self._data: NDArray[np.float32] = self.samples.reshape(self.capacity_frames, self.channels)
        self._partial_bytes = 0  # of a frame whose other bytes have not come yet

    @classmethod
    def create(
        cls, folder: RingFolder, name: str, channels: int, *, seconds: float = 4.0, rate_hz: int = RATE_HZ
    ) -> Self:
        """Make a ring that holds ``seconds`` of ``channels`` channels.

        Raises:
            AudioGraphError: there is not enough shared memory.
        """
        if channels < 1 or seconds < _SHORTEST_S:
            raise AudioGraphError(
                f"the ring of {name!r} wants a channel and {_SHORTEST_S} s at least, not {channels} and {seconds} s"
            )
        path = folder.new_path("source")
        frames = capacity_of(seconds, rate_hz)
        make_file(
            path,
            kind=cls.kind,
            channels=channels,
            capacity_frames=frames,
            rate_hz=rate_hz,
            name=name,
            reserve_bytes=frames * channels * layout.BYTES_PER_SAMPLE,
        ).close()
        ring = cls(path, writable=True)
        ring._is_ours = True
        # Every page is there before the callback comes to it.
        ring.samples[:: layout.CAPACITY_STEP] = 0.0
        return ring

    # The feeder's side.

    def room(self) -> int:
        """Frames that can be written before what the graph has not played would be overwritten."""
        words = self.words
        return self.capacity_frames - int(words[layout.W_WRITTEN]) + int(words[layout.W_PLAYED])

    @property
    def waiting_frames(self) -> int:
        """Frames that are written and not yet played."""
        return int(self.words[layout.W_WRITTEN]) - int(self.words[layout.W_PLAYED])

    def write(self, data: NDArray[np.float32], *, drop: bool = False) -> int:
        """Write float32 ``[frames, channels]``; returns how many frames had room.

        The others are not written: keep them for later, or let ``drop`` count them as overflow.
        """
        done = 0
        while done < len(data) and len(view := self.write_view(len(data) - done)):
            view[:] = data[done : done + len(view)]
            self.commit(len(view))
            done += len(view)
        if drop:
            self.count_overflow(len(data) - done)
        return done

    def write_view(self, max_frames: int | None = None) -> NDArray[np.float32]:
        """The next free place, float32 ``[frames, channels]``, to be filled in place; then ``commit``.

        It ends at the end of the ring's memory, so there may be more room after a commit. No frames: no room.
        """
        words = self.words
        written = int(words[layout.W_WRITTEN])
        begin = written % self.capacity_frames
        frames = min(self.room(), self.capacity_frames - begin)
        if max_frames is not None:
            frames = min(frames, max_frames)
        if written + frames > words[layout.W_CLAIMED]:
            words[layout.W_CLAIMED] = written + frames
            fence()
        return self._data[begin : begin + frames]

    def commit(self, frames: int) -> None:
        """``frames`` of the last ``write_view`` are filled and may be played and read."""
        fence()
        self.words[layout.W_WRITTEN] += frames

    def byte_view(self, max_frames: int | None = None) -> memoryview:
        """``write_view`` as bytes, for ``readinto`` from a pipe of 32-bit little-endian floats; ``commit_bytes`` next.

        A frame of which only some bytes have come stays in its place and is gone on with.
        """
        view = self.write_view(max_frames)
        return view.reshape(-1).view(np.uint8).data[self._partial_bytes :]

    def commit_bytes(self, count: int) -> int:
        """``count`` bytes of the last ``byte_view`` are filled; returns how many frames became whole."""
        frames, self._partial_bytes = divmod(
            self._partial_bytes + count, self.channels * layout.BYTES_PER_SAMPLE
        )
        self.commit(frames)
        return frames

    def fill_from(self, descriptor: int, wait_s: float) -> Fill:
        """Read 32-bit little-endian floats from a pipe into the ring, for ``wait_s``, without Python's lock.

        Waits for bytes and for room; other threads of Python run meanwhile, and cannot slow it down. Returns early when
        the pipe ends, or after ``interrupt``. Bytes of an unfinished frame are kept for the next call.

        Raises:
            AudioGraphError: the pipe cannot be read.
        """
        from streamer.engine.rings.filling import fill

        frames, self._partial_bytes, ended = fill(self, descriptor, self._partial_bytes, wait_s)
        return Fill(frames, ended)

    def interrupt(self) -> None:
        """End a ``fill_from`` that another thread is in, or the next one."""
        self.words[layout.W_INTERRUPT] = 1

    def drop_partial_frame(self) -> None:
        """Forget the bytes of an unfinished frame: the next bytes come from another pipe."""
        self._partial_bytes = 0

    def count_overflow(self, frames: int) -> None:
        """Count frames that the feeder had to drop."""
        self.words[layout.W_OVERFLOW] += frames

    def flush(self) -> None:
        """What is written now shall not be played any more: a seek. The graph skips it at its next cycle."""
        self.words[layout.W_FLUSH_TO] = self.words[layout.W_WRITTEN]

    def finish(self) -> None:
        """The source has ended: play what is left, then be silent without counting it."""
        self.words[layout.W_PLAYING] = Playing.DRAINING

    @property
    def playing(self) -> bool:
        """Whether the graph plays the ring; off, it is silent and nothing is counted. Off at first."""
        return bool(self.words[layout.W_PLAYING] == Playing.ON)

    @playing.setter
    def playing(self, on: bool) -> None:
        self.words[layout.W_PLAYING] = Playing.ON if on else Playing.STOPPED

    # Time.

    def set_anchor(self, utc_ns: int, frame: int | None = None) -> None:
        """``frame`` (the next one written, if None) is of this time: at the start and after each restart, seek or jump.

        Frames of anchors must not go back. The newest 64 are kept.
        """
        at = self.written_frames if frame is None else frame
        append(
            self.words, self.anchors, layout.W_ANCHORS_CLAIMED, layout.W_ANCHORS_WRITTEN, (at, int(utc_ns))
        )

    def anchors_kept(self) -> list[Anchor]:
        """The newest anchors, oldest first."""
        _, rows = entries(self.words, self.anchors, layout.W_ANCHORS_CLAIMED, layout.W_ANCHORS_WRITTEN)
        return [Anchor(int(frame), int(utc_ns)) for frame, utc_ns in rows]

    def anchor_of(self, frame: int) -> Anchor | None:
        """The last anchor at or before ``frame``; None if there is none (any more)."""
        before = [anchor for anchor in self.anchors_kept() if anchor.frame <= frame]
        return before[-1] if before else None

    def utc_ns_of(self, frame: int) -> int | None:
        """UTC of a source frame in ns since 1970; None where no anchor says it."""
        anchor = self.anchor_of(frame)
        return None if anchor is None else utc_ns_after(anchor, frame, self.rate_hz)

    def segments_kept(self) -> list[Segment]:
        """What sounded when, the newest 1024 changes, oldest first."""
        _, rows = entries(self.words, self.segments, layout.W_SEGMENTS_CLAIMED, layout.W_SEGMENTS_WRITTEN)
        return [Segment(int(jack), int(source), SegmentKind(int(kind))) for jack, source, kind, _ in rows]

    # Counters.

    @property
    def played_frames(self) -> int:
        """The next source frame to be played: frames played, or skipped by ``flush``, since the ring was made."""
        return int(self.words[layout.W_PLAYED])

    @property
    def underflow_frames(self) -> int:
        """Frames of silence that the graph played while ``playing`` because too little was there."""
        return int(self.words[layout.W_UNDERFLOW])

    @property
    def overflow_frames(self) -> int:
        """Frames that were dropped for want of room."""
        return int(self.words[layout.W_OVERFLOW])

    @property
    def missed_frames(self) -> int:
        """Frames of the graph's time that were not computed for this source."""
        return int(self.words[layout.W_MISSED])

    @property
    def cycles(self) -> int:
        """Calls of the graph's callback for this source."""
        return int(self.words[layout.W_CYCLES])

    def counts(self) -> dict[str, int]:
        """All counters, for metrics."""
        return {
            "written_frames": self.written_frames,
            "played_frames": self.played_frames,
            "underflow_frames": self.underflow_frames,
            "overflow_frames": self.overflow_frames,
            "missed_frames": self.missed_frames,
            "cycles": self.cycles,
        }
