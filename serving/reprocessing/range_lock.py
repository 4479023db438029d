"""A lock on a range of days: two processes on one machine never reprocess the same day with the same generation."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from serving.reprocessing.plan import Plan
from tidzam_platform.errors import BusyError

_FLOCK: Final = (
    "hhqqi0q"  # struct flock of Linux: type, whence, start, length, process; filled up to its alignment
)


@contextlib.contextmanager
def days_locked(folder: Path, plan: Plan, generation: int) -> Iterator[None]:
    """Hold the days of a plan; the kernel frees them when the process ends, however it ends.

    One file a source and generation, in which each day is a byte: ranges apart from each other may be worked at side by
    side. Locks of open files (``F_OFD_SETLK``), so that they hold between threads too. On several machines nothing is
    locked, and nothing is harmed: they hear the same recordings to the same bytes.

    Raises:
        BusyError: another run holds one of the days.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"reprocessing-{plan.source_id}-{generation}"
    first, count = plan.days[0].toordinal(), len(plan.days)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        wish = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, first, count, 0)
        try:
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, wish)
        except BlockingIOError as error:
            raise BusyError(
                f"generation {generation} is already hearing {plan.source} on one of the days {plan.days[0]} to "
                f"{plan.days[-1]} (lock {path}); wait for it or stop it"
            ) from error
        yield
    finally:
        os.close(handle)
