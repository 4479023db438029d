"""Memory of unloaded versions, given back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import gc


def give_memory_back() -> None:
    """Collect what Python holds in cycles, and let glibc return its free pages (others do so alone)."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
