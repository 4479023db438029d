"""The log of the mixer's changes: one JSON object a line, bounded, one old file beside the present one."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tidzam_platform.clock import format_utc, utc_now

MAX_TEXT: Final = 500  # of one value
_MAX_TAIL_BYTES: Final = 1 << 20


class AuditLog:
    """Appends lines to ``file``; beyond ``max_bytes`` it becomes ``<file>.1``, in place of the one before.

    A line that cannot be written (a full disk) is counted and lost: muting a channel matters more. For any thread.
    """

    def __init__(self, file: Path, max_bytes: int, clock: Callable[[], datetime] = utc_now) -> None:
        self._file, self._max_bytes, self._clock = file, max_bytes, clock
        self._lock = threading.Lock()
        self.lines = 0
        self.failures = 0
        self.last_failure = ""

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write ``entry`` (values that JSON knows) with the time of now as ``time``."""
        kept = {key: value[:MAX_TEXT] if isinstance(value, str) else value for key, value in entry.items()}
        line = json.dumps({"time": format_utc(self._clock()), **kept}, ensure_ascii=True).encode() + b"\n"
        with self._lock:
            try:
                self._write(line)
            except OSError as error:
                self.failures += 1
                self.last_failure = f"{self._file} cannot be written: {error.strerror or error}"
            else:
                self.lines += 1

    def tail(self, count: int) -> list[dict[str, Any]]:
        """The last ``count`` entries of the present file, oldest first; lines that a crash cut are left out."""
        try:
            with self._file.open("rb") as handle:
                handle.seek(max(0, os.fstat(handle.fileno()).st_size - _MAX_TAIL_BYTES))
                lines = handle.read(_MAX_TAIL_BYTES).splitlines()
        except FileNotFoundError:
            return []
        entries = []
        for line in lines[-count:] if count > 0 else []:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                entries.append(entry)
        return entries

    def _write(self, line: bytes) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            size = os.fstat(handle).st_size
            if size and size + len(line) > self._max_bytes:
                self._file.replace(self._file.with_name(self._file.name + ".1"))
                os.close(handle)
                handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
                size = 0
            if size and os.pread(handle, 1, size - 1) != b"\n":  # a crash cut the last line
                line = b"\n" + line
            if os.write(handle, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(handle)
