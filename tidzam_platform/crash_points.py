"""Named points at which a test can kill the process, to prove that state survives ``kill -9``.

``TIDZAM_CRASH_AT=archive.index.row:3`` sends SIGKILL to this process when it reaches that point for the third
time. Without the variable a call costs one comparison.
"""

from __future__ import annotations

import os
import signal

_target, _, _count = os.environ.get("TIDZAM_CRASH_AT", "").partition(":")
_remaining = int(_count or "1")


def reach(name: str) -> None:
    """Say that the point ``name`` is reached; ends the process if a test asked for it."""
    global _remaining
    if name == _target:
        _remaining -= 1
        if _remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)
