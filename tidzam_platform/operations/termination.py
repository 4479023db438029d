"""SIGTERM (systemd, docker stop) ends what runs in order, as Ctrl-C does.

A command ends with an exit code of its own, see ``sigterm_like_ctrl_c``; a server waits for either, see
``StopSignals``. Both learn which signal it was from Python's wake-up descriptor.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, Self

_STOPPING: Final = frozenset({signal.SIGTERM, signal.SIGINT})


class Terminated(KeyboardInterrupt):
    """SIGTERM ended the command: what Ctrl-C ends, this ends too."""


class WaitEnded(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended a wait, and nothing else: what was waited for goes on, as the message says."""


@contextmanager
def sigterm_kept() -> Iterator[None]:
    """Put our handler of SIGTERM back where a library (Dagster, Ray) leaves its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def sigterm_like_ctrl_c() -> Iterator[None]:
    """While the context lasts SIGTERM raises KeyboardInterrupt; out of the context comes Terminated.

    A decorator as well. Outside the main thread, where no signal arrives, it does nothing.

    Which signal it was is not told by a handler of ours: libraries (Dagster while it runs a job) give both signals
    one handler of theirs for a while.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _wake_up_descriptor() as reading:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            yield
        except KeyboardInterrupt as stopped:
            if signal.SIGTERM in _numbers(reading):
                raise Terminated from stopped
            raise
        finally:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def stop_held_back() -> Iterator[None]:
    """SIGINT and SIGTERM wait until the context ends, and come then: what is short is not cut off in the middle.

    For code of others that takes an interrupt badly: SQLAlchemy gives connections back in callbacks of the garbage
    collector, where an exception is printed and lost. Outside the main thread it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = {number: signal.getsignal(number) for number in _STOPPING}
    try:
        for number in _STOPPING:
            signal.signal(number, lambda arrived, _frame: held.append(arrived))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])


class StopSignals:
    """SIGTERM and SIGINT while a server runs: they end ``wait`` and nothing else. A context, in the main thread.

    Not by blocking them for ``sigwait``: libraries (OpenBLAS, at the import of numpy) have threads in which nobody
    blocked them, and a signal that the kernel gives to one of those would kill the process. Handlers run between
    two instructions of Python in the main thread, which does nothing but wait.
    """

    def __init__(self) -> None:
        self._reading = -1
        self._contexts = ExitStack()

    def __enter__(self) -> Self:
        self._reading = self._contexts.enter_context(_wake_up_descriptor())
        for number in _STOPPING:
            self._contexts.callback(signal.signal, number, signal.signal(number, _do_nothing))
        return self

    def __exit__(self, *_exc: object) -> None:
        self._contexts.close()

    def wait(self) -> signal.Signals:
        """Wait for one of them, which may have come before; returns it."""
        while True:
            select.select([self._reading], [], [])
            for number in _numbers(self._reading):
                if number in _STOPPING:
                    return signal.Signals(number)


def _do_nothing(_number: int, _frame: object) -> None:
    pass


@contextmanager
def _wake_up_descriptor() -> Iterator[int]:
    """What can be read when signals arrive that Python has a handler for: their numbers, a byte each."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def _numbers(reading: int) -> bytes:
    """The signals that arrived, a byte each."""
    try:
        return os.read(reading, 1 << 12)
    except BlockingIOError:
        return b""
