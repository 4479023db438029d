"""Trees of processes: what a process has started, what of it is left, how much memory it holds."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import psutil

from tidzam_platform.operations.supervision.configuration import SOCKET

# Supervisor's own variables. Every descendant inherits them, so they tell whose it is though its parent is gone.
MARK_VARIABLE: Final = "SUPERVISOR_SERVER_URL"
_NAME_VARIABLE: Final = "SUPERVISOR_PROCESS_NAME"

_POLL_S: Final = 0.05
_KILL_S: Final = 10.0  # the kernel ends what was killed; a process may hang in a system call
_CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")


def mark(home: Path) -> str:
    """The value of ``MARK_VARIABLE`` in every process that is supervised on ``home``."""
    return f"unix://{home.resolve() / SOCKET}"


def marked(home: Path, name: str | None = None) -> list[psutil.Process]:
    """Processes that were started under the supervision of ``home``; only those of the process ``name`` if given.

    The caller and its ancestors are left out: a process that is supervised may give these commands.
    """
    wanted = mark(home)
    own = _own()
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ() if process.pid not in own else {}
        except (psutil.Error, OSError):  # ended meanwhile, or another user's
            continue
        if environment.get(MARK_VARIABLE) == wanted and name in (None, environment.get(_NAME_VARIABLE)):
            found.append(process)
    return found


def tree(pid: int) -> list[psutil.Process]:
    """A process and all its descendants; empty where it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def alive(process: psutil.Process) -> bool:
    """Whether it runs; one that only waits for its parent to notice its end does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(processes: Iterable[psutil.Process], grace_s: float) -> list[psutil.Process]:
    """SIGTERM, and SIGKILL after ``grace_s`` to those that are left; returns the latter.

    The caller and its ancestors are left out. What hangs in the kernel is not waited for longer than seconds.
    """
    own = _own()
    asked = [process for process in processes if process.pid not in own and alive(process)]
    for process in asked:
        _send(process, signal.SIGTERM)
    stubborn = wait_for_end(asked, grace_s)
    for process in stubborn:
        _send(process, signal.SIGKILL)
    wait_for_end(stubborn, _KILL_S)
    return stubborn


def wait_for_end(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait until all have ended; returns those that have not within ``timeout_s``."""
    end_s = time.monotonic() + timeout_s
    left = [process for process in processes if alive(process)]
    while left and time.monotonic() < end_s:
        time.sleep(_POLL_S)
        left = [process for process in left if alive(process)]
    return left


def memory_share(pid: int) -> float:
    """Share of the machine's memory (of the container's, where that is less) that a tree of processes holds, 0 to 1.

    Proportional set size: what several of them share, such as libraries and the rings of audio, counts once.
    """
    held = 0
    for process in tree(pid):
        try:
            held += process.memory_full_info().pss
        except (psutil.Error, OSError):  # ended meanwhile
            continue
    return held / _machine_bytes()


def age_s(pid: int) -> float:
    """Seconds since a process was started, whatever was done to the wall clock since; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    started_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # field 22 of proc(5), counted after the name
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started_s)


def _own() -> set[int]:
    return {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.Error):  # ended meanwhile
        process.send_signal(number)


def _machine_bytes() -> int:
    total = int(psutil.virtual_memory().total)
    try:
        limit = _CGROUP_LIMIT.read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdecimal() and int(limit) > 0 else total
