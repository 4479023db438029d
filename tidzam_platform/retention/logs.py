"""Logs that nobody writes to any more."""

from __future__ import annotations

import contextlib
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

from tidzam_platform.crash_points import reach
from tidzam_platform.retention.policy import NOT_LET, Outcome, Work, remove_file


def logs(work: Work) -> Outcome | None:
    """Remove files below ``logs`` that were last written ``retention.logs_days`` ago or earlier, and are not open."""
    days = work.home.settings.retention.logs_days
    if days is None:
        return None
    outcome = Outcome("logs", "retention.logs_days", days)
    folder, opened = work.home.settings.logs_folder, _open_files()
    for path in sorted(folder.rglob("*")):
        try:
            status = path.lstat()
        except FileNotFoundError:  # rotated away
            continue
        changed = datetime.fromtimestamp(status.st_mtime, UTC)
        if not stat.S_ISREG(status.st_mode) or changed >= work.before(days):
            continue
        if (status.st_dev, status.st_ino) in opened:
            outcome.kept["a process has it open"] += 1
            continue
        if work.apply and not remove_file(path):
            outcome.kept[NOT_LET] += 1
            continue
        outcome.add(path.relative_to(folder).as_posix(), changed, status.st_size)
        if work.apply:
            with work.home.catalog.session() as session:
                work.audit(session, outcome)
            reach("retention.log")
    return outcome


def _open_files() -> set[tuple[int, int]]:
    """Device and number of all files that processes hold open, as far as we may see (proc(5))."""
    found: set[tuple[int, int]] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended, or is another user's
            for entry in os.scandir(process / "fd"):
                with contextlib.suppress(OSError):
                    status = entry.stat()
                    found.add((status.st_dev, status.st_ino))
    return found
