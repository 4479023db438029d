"""How much room a disk has."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Free space for us on the disk that holds ``folder``; OSError if that cannot be asked for."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
