"""SIGTERM (systemd, docker stop) ends a command in order, as Ctrl-C does, with an exit code of its own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """SIGTERM ended the command: what Ctrl-C ends, this ends too."""


@contextmanager
def sigterm_like_ctrl_c() -> Iterator[None]:
    """While the context lasts SIGTERM raises KeyboardInterrupt; out of the context comes Terminated.

    A decorator as well. Outside the main thread, where no signal arrives, it does nothing.

    Which signal it was is read from Python's wake-up descriptor, not from a handler of ours: libraries (Dagster
    while it runs a job) give both signals one handler of theirs for a while.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before_descriptor = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt as stopped:
        if signal.SIGTERM in _numbers(reading):
            raise Terminated from stopped
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.set_wakeup_fd(before_descriptor)
        os.close(reading)
        os.close(writing)


def _numbers(reading: int) -> bytes:
    """The signals that arrived, a byte each."""
    try:
        return os.read(reading, 1 << 12)
    except BlockingIOError:
        return b""
