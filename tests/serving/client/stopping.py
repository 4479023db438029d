"""A server process that has really stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.model_server import ModelServerProcess
from tests.support.waiting import wait_for


@contextmanager
def stopped(process: ModelServerProcess) -> Iterator[None]:
    """``process.paused()``, entered when all of its threads stand still.

    On a busy machine that takes its time: a process stops when one of its threads takes the signal, and until then the
    others go on answering.
    """
    with process.paused():
        wait_for(lambda: _has_stopped(process._process.pid), "the process to stop")
        yield


def _has_stopped(pid: int) -> bool:
    # Its parent is told when the last thread has stopped (ptrace(2), "group-stop").
    return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
