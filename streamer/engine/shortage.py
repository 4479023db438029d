"""What the operating system has no more of: descriptors, processes, threads, memory. It may have some again later."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Final

from tidzam_platform.errors import EngineError

_REMEDIES: Final[Mapping[int, str]] = {
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the system's limit of open files (fs.file-max)",
    errno.EAGAIN: "raise the limit of processes (ulimit -u; TasksMax of a systemd unit)",
    errno.ENOMEM: "memory is short",
}
_NO_THREAD: Final = "can't start new thread"  # Python's words, in a RuntimeError


def shortage(error: BaseException) -> EngineError | None:
    """The error that says so, and what to do; None if ``error`` says something else."""
    remedy = _REMEDIES.get(error.errno or 0) if isinstance(error, OSError) else None
    if isinstance(error, OSError) and remedy is not None:
        said = error.strerror or str(error)
    elif isinstance(error, MemoryError):
        said, remedy = "Cannot allocate memory", _REMEDIES[errno.ENOMEM]
    elif isinstance(error, RuntimeError) and str(error).startswith(_NO_THREAD):
        said, remedy = "No thread can be started", _REMEDIES[errno.EAGAIN]
    else:
        return None
    return EngineError(f"the system has no more to give ({said}): {remedy}, or have fewer sources")
