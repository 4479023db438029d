"""Where the temporary files of a run of tests lie: in memory, where there is enough of it.

The tests make thousands of databases, and would wait for the disk at each commit: a third of the whole run.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import psutil

MEMORY: Final = Path("/dev/shm")  # noqa: S108
PREFIX: Final = "tzt-"  # short: the path of a socket holds 107 bytes
FILES_BYTES: Final = 6 << 30  # more than a whole run makes
PROCESSES_BYTES: Final = 8 << 30  # what the processes of the tests need beside it


def make_in_memory(memory: Path = MEMORY) -> Path | None:
    """An empty folder in memory for this process; None where there is too little, or nothing can be run from it.

    What processes left there that were killed is removed first.
    """
    _remove_left(memory)
    if not _has_room(memory):
        return None
    folder = memory / f"{PREFIX}{os.getpid()}"
    folder.mkdir(mode=0o711)  # servers that do not run as root find theirs below it
    return folder


def _has_room(memory: Path) -> bool:
    if not os.access(memory, os.W_OK):
        return False
    there = os.statvfs(memory)
    if there.f_flag & os.ST_NOEXEC or there.f_bavail * there.f_frsize < FILES_BYTES:
        return False
    return psutil.virtual_memory().available >= FILES_BYTES + PROCESSES_BYTES


def _remove_left(memory: Path) -> None:
    for folder in memory.glob(f"{PREFIX}*"):
        process = folder.name.removeprefix(PREFIX)
        if (
            process.isdecimal()
            and not psutil.pid_exists(int(process))
            and folder.stat().st_uid == os.getuid()
        ):
            shutil.rmtree(folder)
