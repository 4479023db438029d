"""Child processes that leave no orphans: they die with their parent, and end with all that they started.

Standard library only: the bootstrap uses it before the environment exists.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def die_with_parent() -> Callable[[], None] | None:
    """A ``preexec_fn``: Linux kills the child when we die, kill -9 included. None on systems that cannot."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: after the fork as little as possible may run
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # we died before the child could ask
            os._exit(1)

    return ask


def end_group(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """Ask a child that leads a process group, and all in the group, to end; kill them after ``grace_s``."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(
            ProcessLookupError, PermissionError
        ):  # gone; or sudo, which is not ours to end
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(grace_s)
            break
    with contextlib.suppress(ProcessLookupError, PermissionError):  # what outlived its parent
        os.killpg(child.pid, signal.SIGKILL)
