"""An HLS stream as one row of bytes: loaded ahead in a thread, given out at the speed at which it plays."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

from streamer.engine.fetching.cancellation import Cancellation
from streamer.engine.fetching.containers import container_of_stream
from streamer.engine.fetching.hls_loading import LoadedSegment, SegmentLoader
from streamer.engine.fetching.http_heads import printable
from streamer.engine.fetching.streams import READ_BYTES, ByteStream
from tidzam_platform.errors import FetchError, RefusedAddressError, TidzamError

_AHEAD: Final = 3  # segments that wait in memory
_SLICE_S: Final = 0.1  # what is given out at a time
_JOIN_S: Final = 5.0
_LEAST_DURATION_S: Final = 0.01


class SegmentQueue:
    """Between the thread that loads and the one that reads; bounded."""

    def __init__(self, cancel: Cancellation) -> None:
        self._cancel = cancel
        self._changed = threading.Condition()
        self._waiting: deque[LoadedSegment] = deque()
        self._failure: TidzamError | None = None
        self._is_ended = False
        self._leave = cancel.subscribe(self._wake)

    def close(self) -> None:
        """Nobody waits any more."""
        self._leave()

    def put(self, segment: LoadedSegment) -> None:
        """Wait for room; FetchError when it is cancelled."""
        with self._changed:
            while len(self._waiting) >= _AHEAD:
                self._cancel.require_going()
                self._changed.wait()
            self._waiting.append(segment)
            self._changed.notify_all()

    def end(self, failure: TidzamError | None) -> None:
        """Nothing else will come."""
        with self._changed:
            self._failure, self._is_ended = failure, True
            if isinstance(failure, RefusedAddressError):
                self._waiting.clear()
            self._changed.notify_all()

    def get(self, deadline_s: float) -> LoadedSegment | None:
        """Wait for a segment; None after the last.

        Raises:
            FetchError: none came by ``deadline_s``, it was cancelled, or that is how loading ended.
            RefusedAddressError: that is how loading ended.
        """
        with self._changed:
            while not self._waiting:
                self._cancel.require_going()
                if self._failure is not None:
                    raise self._failure
                if self._is_ended:
                    return None
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    raise FetchError("no segment of the HLS stream came in time")
                self._changed.wait(left_s)
            segment = self._waiting.popleft()
            self._changed.notify_all()
            return segment

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


class HlsStream(ByteStream):
    """The segments one after the other, as a transport stream, packed audio or fragmented MP4.

    A live one is given out at the speed at which it plays, ``lead_s`` ahead: its segments come in lumps, and whoever
    plays them has no room for those.

    Args:
        loader: gives the segments, here from a thread of the stream.
        lead_s: how far ahead of its time audio is given out.
        cancel: of this stream alone; it closes it.

    Raises:
        FetchError: the first segment does not come, or is of no container that we open.
    """

    def __init__(self, loader: SegmentLoader, *, lead_s: float, cancel: Cancellation) -> None:
        self._loader = loader
        self._cancel = cancel
        first = loader.next_segment()
        container = None if first is None else container_of_stream(first.data, is_whole=True)
        if first is None or container is None:
            beginning = "nothing" if first is None else printable(first.data[:8].decode("latin-1"), 8)
            raise FetchError(f"the HLS stream begins with {beginning!r}, like no audio that is opened here")
        self.container = container
        self.is_live = not loader.is_ended
        self._bytes = 0
        self._pacer = Pacer(lead_s) if self.is_live else None
        self._current: _Playing | None = _Playing(first)
        self._queue = SegmentQueue(cancel)
        self._thread = threading.Thread(target=self._load, name="tidzam-hls", daemon=True)
        self._thread.start()

    def read(self, max_bytes: int = READ_BYTES, deadline_s: float | None = None) -> bytes:
        """As :meth:`ByteStream.read`; the stall deadline is three target durations where that is longer."""
        until_s = time.monotonic() + self._loader.stall_s
        until_s = until_s if deadline_s is None else min(until_s, deadline_s)
        while self._current is None or self._current.is_over:
            if self._pacer is not None and self._current is not None:
                self._pacer.played(self._current.duration_s)
            self._current = None
            segment = self._queue.get(until_s)
            if segment is None:
                return b""
            self._current = _Playing(segment)
            if self._pacer is not None:
                self._pacer.arrived()
        data = self._current.take(self._allowed(self._current, max_bytes))
        self._bytes += len(data)
        return data

    def metadata(self) -> dict[str, str]:
        """As :meth:`ByteStream.metadata`."""
        return {"content_type": "application/vnd.apple.mpegurl"}

    def counts(self) -> dict[str, int]:
        """``bytes``, ``segments``, ``lost_segments``, ``discontinuities``."""
        loader = self._loader
        return {
            "bytes": self._bytes,
            "segments": loader.segments,
            "lost_segments": loader.lost_segments,
            "discontinuities": loader.discontinuities,
        }

    def close(self) -> None:
        """As :meth:`ByteStream.close`."""
        self._cancel.cancel()
        self._thread.join(_JOIN_S)
        self._queue.close()
        if not self._thread.is_alive():  # else it still uses it; it ends with the process
            self._cancel.close()

    def _allowed(self, current: _Playing, max_bytes: int) -> int:
        """How many bytes may be given out now; waits until it is some."""
        if self._pacer is None:
            return max_bytes
        wanted = min(max_bytes, current.slice_bytes)
        self._cancel.sleep_until(self._pacer.release_s(current.time_of(wanted)))
        return wanted

    def _load(self) -> None:
        failure: TidzamError | None = None
        try:
            while (segment := self._loader.next_segment()) is not None:
                self._queue.put(segment)
        except TidzamError as error:
            failure = error
        finally:
            self._queue.end(failure)


class Pacer:
    """Says when audio may be given out: ``lead_s`` before its time, and its time begins anew after a drought."""

    def __init__(self, lead_s: float) -> None:
        self._lead_s = lead_s
        self._begin_s = time.monotonic()
        self._played_s = 0.0

    def release_s(self, media_s: float) -> float:
        """When (``time.monotonic``) the audio at ``media_s`` of the current segment may go."""
        return self._begin_s + self._played_s + media_s - self._lead_s

    def played(self, duration_s: float) -> None:
        """A segment of that length is over."""
        self._played_s += duration_s

    def arrived(self) -> None:
        """The next one is here; if it is later than its time, all that follows is as late."""
        self._begin_s = max(self._begin_s, time.monotonic() - self._played_s)


class _Playing:
    """The segment that is being given out."""

    def __init__(self, segment: LoadedSegment) -> None:
        self._data = memoryview(segment.data)
        self._position = 0
        self.duration_s = max(segment.duration_s, _LEAST_DURATION_S)

    @property
    def is_over(self) -> bool:
        return self._position >= len(self._data)

    @property
    def slice_bytes(self) -> int:
        """As many bytes as play for a short time."""
        return max(round(len(self._data) * _SLICE_S / self.duration_s), 1)

    def time_of(self, more_bytes: int) -> float:
        """The time within the segment at which audio so many bytes on begins."""
        reached = min(self._position + more_bytes, len(self._data))
        return reached / len(self._data) * self.duration_s

    def take(self, max_bytes: int) -> bytes:
        data = bytes(self._data[self._position : self._position + max_bytes])
        self._position += len(data)
        return data
