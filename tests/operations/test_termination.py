"""SIGTERM ends what Ctrl-C ends, and can be told from it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from tidzam_platform.operations.termination import Terminated, sigterm_like_ctrl_c


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


def test_in_another_thread_it_does_nothing() -> None:
    done: list[bool] = []

    def run() -> None:
        with sigterm_like_ctrl_c():
            done.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done == [True]
