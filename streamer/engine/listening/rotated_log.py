"""What a child writes on its outputs, in a file that never grows beyond a bound."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import IO, Final

MAX_BYTES: Final = 5_000_000
_TAIL_BYTES: Final = 4096
_BLOCK_BYTES: Final = 1 << 16


class RotatedLog:
    """Copies a pipe to ``file``, in a thread that ends with the pipe; a full file becomes ``<file>.1``.

    What cannot be written (a full disk) is lost: the child must never wait for it.
    """

    def __init__(self, file: Path, pipe: IO[bytes], max_bytes: int = MAX_BYTES) -> None:
        self._file, self._pipe, self._max_bytes = file, pipe, max_bytes
        self._tail = b""
        self._thread = threading.Thread(target=self._run, name=f"tidzam-log-{file.stem}", daemon=True)
        self._thread.start()

    @property
    def tail(self) -> str:
        """The last lines."""
        return self._tail.decode("utf-8", errors="replace").strip()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the pipe."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        with self._pipe:
            while data := os.read(self._pipe.fileno(), _BLOCK_BYTES):
                self._tail = (self._tail + data)[-_TAIL_BYTES:]
                try:
                    self._write(data)
                except OSError:
                    continue

    def _write(self, data: bytes) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self._file.exists() and self._file.stat().st_size + len(data) > self._max_bytes:
            self._file.replace(self._file.with_name(self._file.name + ".1"))
        with self._file.open("ab") as file:
            file.write(data)
