"""Memory of unloaded versions, given back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import gc


def leave_out_what_is_imported() -> None:
    """Let later collections pass over all objects that there are now; call it before a version is loaded.

    TensorFlow's import leaves half a million: to look through them holds up all threads for a quarter of a second,
    each time that a version is unloaded.
    """
    gc.collect()
    gc.freeze()


def give_memory_back() -> None:
    """Collect what Python holds in cycles, and let glibc return its free pages (others do so alone)."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
