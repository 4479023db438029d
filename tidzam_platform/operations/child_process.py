"""A process that we start, wait for, and end: with its log in a file and no orphan left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.process_group import die_with_parent, end_group

_STOP_S: Final = 10.0  # from SIGTERM to SIGKILL
_POLL_S: Final = 0.1
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
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - one call of libc, no lock is taken
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Poll ``ready``; ProcessError with the end of the log if the process dies or time runs out."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self._process.poll() is not None:
                raise ProcessError(
                    f"{self.name} ended with status {self._process.returncode}: {self._log_tail()}"
                )
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} was not ready after {timeout_s:.0f} s: {self._log_tail()}")
            time.sleep(_POLL_S)

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def stop(self) -> None:
        """SIGTERM to the group, SIGKILL after a while; returns when it is gone."""
        end_group(self._process, _STOP_S)

    def _log_tail(self) -> str:
        lines = self._log_file.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return f"see {self._log_file}\n" + "\n".join(lines)


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def choose_port(host: str, preferred: int) -> int:
    """``preferred`` if nobody listens on it, else a free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, preferred))
        except OSError:
            return free_port(host)
        port: int = probe.getsockname()[1]
        return port
