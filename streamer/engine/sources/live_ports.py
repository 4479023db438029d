"""The ports of ``tidzam-livestreams``: given out to live streams, and taken back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from streamer.engine.graph.interface import GraphBundle
from streamer.engine.reserved_names import LIVE_STREAMS
from streamer.engine.sources.context import SourceContext
from streamer.engine.sources.live import LiveStream
from tidzam_platform.errors import EngineError, SourceError, TidzamError

_LOG = logging.getLogger(__name__)
_CLOSE_S: Final = 30.0  # as long as a recorder may take to finish its file, and the graph to take a port away

LiveHook = Callable[[LiveStream], None]


class LiveStreams:
    """Safe for many threads. Opening and closing one stream, which may take long, holds up none of the others.

    Args:
        context: what all sources share.
        on_opened: called with a stream before anything is pushed to it, e.g. to record it.
        on_closed: called when nothing is pushed to it any more, before its ring is closed.
    """

    def __init__(
        self,
        context: SourceContext,
        *,
        on_opened: LiveHook = lambda _stream: None,
        on_closed: LiveHook = lambda _stream: None,
    ) -> None:
        self._context, self._on_opened, self._on_closed = context, on_opened, on_closed
        self._size = context.settings.sources.max_live_streams
        self._changed = threading.Condition()
        self._making = threading.Lock()  # of the bundle
        self._bundle: GraphBundle | None = None
        self._taken: set[int] = set()  # numbers, from before their stream is open until after it is closed
        self._streams: dict[int, LiveStream] = {}  # those that are open
        self._closed = False

    def open(self, owner: str, *, storage: bool = False) -> LiveStream:
        """Give out a port.

        Args:
            owner: who it is for; ``close_owned`` takes back what was given to it.
            storage: see ``LiveStreamInfo``.

        Raises:
            SourceError: all ports are taken.
            AudioGraphError: the graph refused.
            EngineError: the system has no thread to give.
        """
        number = self._take()
        try:
            stream = self._opened(number, owner, storage=storage)
        except BaseException:
            self._give_back(number)
            raise
        self._context.tell("live_stream_opened", port=stream.info.port, owner=owner)
        return stream

    def of_owner(self, owner: str) -> LiveStream:
        """The stream that ``owner`` opened last; SourceError if it has none."""
        with self._changed:
            for stream in reversed(self._streams.values()):
                if stream.info.owner == owner:
                    return stream
        raise SourceError("there is no live stream of yours: open one first")

    def close_stream(self, number: int) -> None:
        """Take a port back; SourceError if it is not given out."""
        with self._changed:
            stream = self._streams.pop(number, None)
        if stream is None:
            raise SourceError(f"there is no live stream {number}")
        try:
            self._end(stream)
        finally:
            self._give_back(number)
        self._context.tell("live_stream_closed", port=stream.info.port, owner=stream.info.owner)

    def close_owned(self, owner: str, *, is_prefix: bool = False) -> list[str]:
        """Take back the ports of ``owner``, or of all whose names begin so; returns the ports."""
        with self._changed:
            owned = [
                stream.info
                for stream in self._streams.values()
                if stream.info.owner == owner or (is_prefix and stream.info.owner.startswith(owner))
            ]
        closed = []
        for info in owned:
            try:
                self.close_stream(info.number)
            except SourceError:  # somebody else was quicker
                continue
            except TidzamError as error:  # one that hangs must not keep the others open
                _LOG.error("live stream %s: %s", info.port, error)
            closed.append(info.port)
        return closed

    def status(self) -> list[dict[str, Any]]:
        """Of all that are open, by their number."""
        with self._changed:
            streams = [self._streams[number] for number in sorted(self._streams)]
        return [stream.status() for stream in streams]

    def close(self) -> None:
        """Take everything back. May be called again."""
        with self._changed:
            self._closed = True
            numbers = list(self._streams)
        for number in numbers:
            try:
                self.close_stream(number)
            except TidzamError as error:
                _LOG.warning("live stream %d: %s", number, error)
        with self._changed:  # others may be opening or closing some just now
            if not self._changed.wait_for(lambda: not self._taken, _CLOSE_S):
                _LOG.error("%d live streams do not end: their disk hangs", len(self._taken))
        with self._making:
            bundle, self._bundle = self._bundle, None
        if bundle is not None:
            bundle.close()

    def _take(self) -> int:
        with self._changed:
            free = (number for number in range(1, self._size + 1) if number not in self._taken)
            number = next(free, None)
            if number is None or self._closed:
                raise SourceError(
                    f"all {self._size} ports for live streams are taken: come again, "
                    "or raise sources.max_live_streams"
                )
            self._taken.add(number)
        return number

    def _give_back(self, number: int) -> None:
        with self._changed:
            self._taken.discard(number)
            self._changed.notify_all()

    def _opened(self, number: int, owner: str, *, storage: bool) -> LiveStream:
        with self._making:
            if self._bundle is None:
                self._bundle = self._context.graph.open_bundle(LIVE_STREAMS, self._size)
            bundle = self._bundle
        stream = LiveStream(number, owner, bundle, self._context, storage=storage)
        try:
            self._on_opened(stream)
        except BaseException:
            stream.close()
            raise
        try:
            stream.start()
            self._list(stream)
        except BaseException:
            self._end(stream)
            raise
        return stream

    def _list(self, stream: LiveStream) -> None:
        """From now on it can be pushed to."""
        with self._changed:
            if self._closed:
                raise EngineError("the engine is ending: no live stream can be opened")
            self._streams[stream.info.number] = stream

    def _end(self, stream: LiveStream) -> None:
        stream.end()
        try:
            self._on_closed(stream)
        finally:
            stream.close()
