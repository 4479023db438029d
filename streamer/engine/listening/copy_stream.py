"""A source's own bytes, for everyone who listens to it without decoding and encoding."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from streamer.engine.encoding import PageSplitter
from streamer.engine.listening.ogg_chain import OggChain
from streamer.engine.listening.ogg_headers import OggHeaders

MAX_WAITING_BYTES: Final = 1 << 20  # for a reader; beyond, it is dropped


class CopyReader:
    """One listener of a copied source. ``take`` is for one thread."""

    def __init__(self, stream: CopyStream, head: bytes) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._pieces: deque[bytes] = deque([head])
        self._bytes = len(head)
        self.is_closed = False

    def take(self) -> bytes:
        """What has come since the last call."""
        with self._lock:
            pieces, self._pieces, self._bytes = self._pieces, deque(), 0
        return b"".join(pieces)

    def close(self) -> None:
        """Listen no more."""
        self._stream.forget(self)

    def give(self, piece: bytes) -> bool:
        """By the source's thread, which never waits; False if too much has not been taken."""
        with self._lock:
            self._pieces.append(piece)
            self._bytes += len(piece)
            return self._bytes <= MAX_WAITING_BYTES


class CopyStream:
    """Takes the bytes of a source as they come in and hands them to readers. For any thread; ``publish`` for one.

    A reader who comes in the middle of an Ogg stream first gets its header pages, and then whole pages only. Other
    containers that may be copied can be joined anywhere.

    While the source is connected again its readers stay. What it gives then is another link of the same Ogg stream;
    decoders of the other containers find the next frame by themselves.

    Args:
        container: ``ogg``, ``mp3``, ``aac`` or ``mpegts``.

    Attributes:
        is_away: whether the source is being connected again.
        slow_readers: how many were dropped.
    """

    def __init__(self, container: str) -> None:
        self._is_ogg = container == "ogg"
        self._headers, self._chain, self._splitter = OggHeaders(), OggChain(), PageSplitter()
        self._lock = threading.Lock()
        self._readers: list[CopyReader] = []
        self.is_away = False
        self.slow_readers = 0

    def publish(self, data: bytes) -> None:
        """Give on what the source gave. Never waits."""
        with self._lock:
            self.is_away = False
            if not self._is_ogg:
                self._give(data)
                return
            for page in self._splitter.feed(data):
                passed = self._chain.take(page)
                self._headers.take(passed)
                self._give(passed.data)

    def pause(self) -> None:
        """The source is away and may come back: who listens stays."""
        self.is_away = True

    def begin_again(self) -> None:
        """The source was connected again: what comes next is the beginning of a stream."""
        with self._lock:
            self.is_away = False
            self._headers, self._splitter = OggHeaders(), PageSplitter()
            if ends := self._chain.begin_again():
                self._give(ends)

    def open(self) -> CopyReader:
        """Listen from now on."""
        with self._lock:
            reader = CopyReader(self, self._headers.data)
            self._readers.append(reader)
        return reader

    def forget(self, reader: CopyReader) -> None:
        """``reader`` listens no more."""
        with self._lock:
            if reader in self._readers:
                self._readers.remove(reader)
            reader.is_closed = True

    def close(self) -> None:
        """The source is gone."""
        for reader in list(self._readers):
            self.forget(reader)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._readers)

    def _give(self, piece: bytes) -> None:
        for reader in list(self._readers):
            if not reader.give(piece):
                self._readers.remove(reader)
                reader.is_closed = True
                self.slow_readers += 1
