"""Memory order between processes, as seen from Python.

x86 keeps stores in order among stores and loads among loads, which is all that the rings need. Elsewhere (ARM) a full
fence is compiled. The graph's callback has fences of its own, in ``streamer.engine.graph.kernels``.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable
from typing import Final

from streamer.engine.rings.native import load_numba, native

_IN_ORDER: Final = platform.machine() in ("x86_64", "AMD64", "i686")


def fence() -> None:
    """What was read or written before stays before what is read or written after."""
    if not _IN_ORDER:
        _compiled_fence()()


@functools.cache
def _compiled_fence() -> Callable[[], None]:
    full = native().fence

    def call() -> None:
        full()

    compiled: Callable[[], None] = load_numba().njit("void()")(call)
    return compiled
