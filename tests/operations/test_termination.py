"""SIGTERM ends what Ctrl-C ends, and can be told from it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from tidzam_platform.operations.termination import (
    StopSignals,
    Terminated,
    sigterm_like_ctrl_c,
    stop_held_back,
)


def test_sigterm_comes_out_as_terminated_after_what_stands_in_finally() -> None:
    done: list[str] = []

    @sigterm_like_ctrl_c()
    def command() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            done.append("in order")

    with pytest.raises(Terminated):
        command()
    assert done == ["in order"]


def test_ctrl_c_stays_ctrl_c_and_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(KeyboardInterrupt) as stopped, sigterm_like_ctrl_c():
        signal.raise_signal(signal.SIGINT)
    assert not isinstance(stopped.value, Terminated)
    assert signal.getsignal(signal.SIGTERM) is before
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_sigterm_is_told_though_a_library_gives_both_signals_one_handler() -> None:
    def libraries(_number: int, _frame: object) -> None:
        raise RuntimeError

    @sigterm_like_ctrl_c()
    def command() -> None:
        signal.signal(signal.SIGTERM, libraries)
        try:
            signal.raise_signal(signal.SIGTERM)
        except RuntimeError as error:
            raise KeyboardInterrupt from error

    with pytest.raises(Terminated):
        command()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_is_held_back_comes_afterwards(number: signal.Signals) -> None:
    done: list[str] = []
    handlers = []

    @sigterm_like_ctrl_c()
    def command() -> None:
        handlers.append(signal.getsignal(number))
        try:
            with stop_held_back():
                signal.raise_signal(number)
                done.append("whole")
            done.append("never")
        finally:
            handlers.append(signal.getsignal(number))

    with pytest.raises(KeyboardInterrupt):
        command()
    assert done == ["whole"]
    assert handlers[0] is handlers[1]


def test_where_no_stop_came_nothing_comes_afterwards() -> None:
    with stop_held_back():
        pass


def test_in_another_thread_it_does_nothing() -> None:
    done: list[bool] = []

    def run() -> None:
        with sigterm_like_ctrl_c():
            done.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done == [True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_waits_for_either_and_handlers_are_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    with StopSignals() as stop_signals:
        signal.raise_signal(number)  # before anybody waits
        assert stop_signals.wait() is number
        threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
        assert stop_signals.wait() is number
    assert signal.getsignal(number) is before
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_a_signal_that_a_thread_of_a_library_gets_stops_the_server() -> None:
    ended = threading.Event()
    library = threading.Thread(target=ended.wait)
    library.start()
    with StopSignals() as stop_signals:
        signal.pthread_kill(library.ident or 0, signal.SIGTERM)
        assert stop_signals.wait() is signal.SIGTERM
    ended.set()
    library.join()
