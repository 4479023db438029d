"""What a process wrote to its log: the reason why it is not ready stands there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_TAIL_LINES: Final = 15
_TAIL_BYTES: Final = 16 << 10


def log_size(path: Path) -> int:
    """Bytes in the log; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def log_lines(path: Path, since: int = 0) -> list[str]:
    """Its last lines, from byte ``since`` on; what a process wrote at its end each time it was started is told once.

    A log that is shorter than ``since`` was rotated, and is read from its beginning.
    """
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(since if since <= size else 0, size - _TAIL_BYTES))
            lines = log.read(_TAIL_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return []
    return _told_once(lines)[-_TAIL_LINES:]


def log_tail(path: Path) -> str:
    """As ``log_lines``, under a line that names the file; empty where nothing was written."""
    lines = log_lines(path)
    return "\n".join([f"see {path}:", *lines]) if lines else ""


def _told_once(lines: list[str]) -> list[str]:
    """Without the lines that stand at the end once more, as often as they do."""
    for count in range(1, len(lines) // 2 + 1):
        last = lines[-count:]
        end = len(lines)
        while lines[max(0, end - 2 * count) : end - count] == last:
            end -= count
        if end < len(lines):
            return lines[:end]
    return lines
