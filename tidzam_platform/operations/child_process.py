"""A process that we start, wait for, and end: with its log in a file and no orphan left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn, Self

from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.ports import listens
from tidzam_platform.operations.process_group import die_with_parent, end_group

_STOP_S: Final = 10.0  # from SIGTERM to SIGKILL
_POLL_S: Final = 0.1
_WATCH_S: Final = 1.0
_LOG_TAIL_LINES: Final = 15


class ChildProcess:
    """A child in a process group of its own, ended when the context ends or when we die."""

    def __init__(
        self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str]
    ) -> None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._log_file = log_file
        with log_file.open("wb") as log:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
                preexec_fn=_before_exec(),  # noqa: PLW1509 - two calls of libc, no lock is taken
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Poll ``ready`` while the process lives.

        Raises:
            ProcessError: the process ended, also where ``ready`` holds by then (another one may have made it so),
                or time ran out; the message has the end of its log.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self.require_running()
            if ready():
                self.require_running()
                return
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} was not ready after {timeout_s:.0f} s: {self._log_tail()}")
            time.sleep(_POLL_S)

    def wait_until_listening(self, port: int, timeout_s: float) -> None:
        """Wait until this process, and no other, listens on ``port``; ProcessError as ``wait_until``."""
        self.wait_until(lambda: listens(self._process.pid, port), timeout_s)

    @property
    def pid(self) -> int:
        """Number of the process, which leads its group."""
        return self._process.pid

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def require_running(self) -> None:
        """ProcessError with the end of its log if the process has ended."""
        status = self._process.poll()
        if status is not None:
            raise ProcessError(f"{self.name} ended with status {status}: {self._log_tail()}")

    def ask_to_end(self) -> None:
        """SIGTERM to the group; returns at once. Many processes that are asked first end side by side."""
        if self.is_running():
            os.killpg(self._process.pid, signal.SIGTERM)

    def stop(self) -> None:
        """SIGTERM to the group, SIGKILL after a while; returns when it is gone."""
        end_group(self._process, _STOP_S)

    def _log_tail(self) -> str:
        lines = self._log_file.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return f"see {self._log_file}\n" + "\n".join(lines)


def watch(processes: Sequence[ChildProcess]) -> NoReturn:
    """Wait as long as all live; ProcessError with the end of its log when one ends. Ctrl-C ends the wait."""
    while True:
        for process in processes:
            process.require_running()
        time.sleep(_WATCH_S)


def stop_all(processes: Iterable[ChildProcess]) -> None:
    """Stop them side by side: it takes as long as the slowest."""
    asked = list(processes)
    for process in asked:
        process.ask_to_end()
    for process in asked:
        process.stop()


def _before_exec() -> Callable[[], None]:
    """What the child does before it becomes the program."""
    ask = die_with_parent()

    def prepare() -> None:
        # A shell starts background jobs with SIGINT ignored, which is inherited; Dagster gives SIGTERM the handler
        # of SIGINT and would be deaf to both.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if ask is not None:
            ask()

    return prepare
