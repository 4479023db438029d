"""Which channel is in which slot, and which rings there are: one JSON document that any process may read."""

from __future__ import annotations

import json
import mmap
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from streamer.engine.rings.fences import fence
from streamer.engine.rings.folder import RingFolder, living_engine, ring_folder_of
from streamer.engine.rings.layout import reserve
from tidzam_platform.errors import AudioGraphError, EngineUnavailableError

_MAGIC: Final = int.from_bytes(b"TidzDir1", "little")
_W_MAGIC, _W_SEQUENCE, _W_LENGTH = 0, 1, 2  # int64 words of the head
_HEAD_BYTES: Final = 64
MAX_BYTES: Final = 256 * 1024
_FILE_BYTES: Final = _HEAD_BYTES + MAX_BYTES
_PATIENCE_S: Final = 2.0  # the writer is inside for microseconds; if it died there, nobody comes out


class Directory:
    """A JSON object in shared memory behind a sequence lock: one engine writes, any process reads, nobody waits long.

    The engine's document has at least::

        {"channel_rings": "<file>", "sources": {"<name>": {"file": "<file>", "channels": 2}},
         "slots": [{"slot": 0, "channel": "marsh:out_1", "since_frame": 0}]}

    File names are relative to the ring folder (``path.parent``).
    """

    def __init__(self, path: Path, writable: bool) -> None:
        self.path = path
        try:
            descriptor = os.open(
                path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW
            )
        except FileNotFoundError as error:
            raise EngineUnavailableError(f"the directory {path} is gone: its engine has ended") from error
        try:
            if os.fstat(descriptor).st_size != _FILE_BYTES:
                raise AudioGraphError(f"{path} is no directory of Tidzam's rings")
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            self._mapping = mmap.mmap(descriptor, _FILE_BYTES, access=access)
        finally:
            os.close(descriptor)
        self._words = np.frombuffer(self._mapping, np.int64, _HEAD_BYTES // 8)
        if self._words[_W_MAGIC] != _MAGIC:
            raise AudioGraphError(f"{path} is no directory of Tidzam's rings")
        self._writing = threading.Lock()

    @classmethod
    def create(cls, folder: RingFolder) -> Self:
        """Make the directory of an engine; it holds ``{}``."""
        path = folder.new_path("directory")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, _FILE_BYTES)
            reserve(descriptor, 0, _FILE_BYTES, path)
            with mmap.mmap(descriptor, _FILE_BYTES) as mapping:
                mapping[_HEAD_BYTES : _HEAD_BYTES + 2] = b"{}"
                mapping[8 * _W_LENGTH : 8 * _W_LENGTH + 8] = (2).to_bytes(8, "little")
                mapping[:8] = _MAGIC.to_bytes(8, "little")
        finally:
            os.close(descriptor)
        return cls(path, writable=True)

    @classmethod
    def open(cls, home: Path) -> Self:
        """Open the directory of the engine that serves ``home``.

        Raises:
            EngineUnavailableError: no engine of this home is running.
        """
        folder = ring_folder_of(home)
        engine = living_engine(folder)
        found = sorted(folder.glob(f"directory-{engine}-*")) if engine else []
        if not found:
            raise EngineUnavailableError(
                f"no engine of the home {home} is running: start it with ./tidzam start"
            )
        return cls(found[-1], writable=False)

    @property
    def version(self) -> int:
        """Grows with each ``write``: cheap to look at."""
        return int(self._words[_W_SEQUENCE]) // 2

    def write(self, document: Mapping[str, Any]) -> None:
        """Replace the document. May be called by any thread of the engine.

        Raises:
            AudioGraphError: it is larger than 256 KiB as JSON.
        """
        encoded = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
        if len(encoded) > MAX_BYTES:
            raise AudioGraphError(
                f"the directory of rings would be {len(encoded)} bytes long; {MAX_BYTES} are the most"
            )
        with self._writing:
            words = self._words
            words[_W_SEQUENCE] += 1  # odd: being written
            fence()
            self._mapping[_HEAD_BYTES : _HEAD_BYTES + len(encoded)] = encoded
            words[_W_LENGTH] = len(encoded)
            fence()
            words[_W_SEQUENCE] += 1

    def read(self) -> dict[str, Any]:
        """The document as it is now.

        Raises:
            EngineUnavailableError: the engine died while it wrote.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            before = int(self._words[_W_SEQUENCE])
            fence()
            length = min(max(int(self._words[_W_LENGTH]), 0), MAX_BYTES)
            encoded = self._mapping[_HEAD_BYTES : _HEAD_BYTES + length]
            fence()
            if before % 2 == 0 and int(self._words[_W_SEQUENCE]) == before:
                document: dict[str, Any] = json.loads(encoded)
                return document
            if time.monotonic() > deadline:
                raise EngineUnavailableError(f"the engine ended while it wrote {self.path.name}")
            time.sleep(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Unmap it; the folder removes the file."""
        if hasattr(self, "_words"):
            del self._words
            self._mapping.close()
