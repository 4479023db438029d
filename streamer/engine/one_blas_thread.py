"""Linear algebra in one thread, for processes whose arrays are small and many a second.

OpenBLAS lets its other threads spin for a while after each product: with a few small products a second that is a fifth
of a core for nothing.
"""

from __future__ import annotations

import os
from typing import Final

ONE_BLAS_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1"}
"""Variables for a process that is to be started."""


def keep_blas_to_one_thread() -> None:
    """Call it before numpy is imported; does nothing where somebody has said how many threads there shall be."""
    for name, value in ONE_BLAS_THREAD.items():
        os.environ.setdefault(name, value)
